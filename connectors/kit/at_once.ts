/** What is asked for at once has a bound, so that one stream never floods a provider or the memory. */
import pLimit from 'p-limit';

/** Does `work` for each, so many at once. After a failure the queue is dropped; one that is due may still begin. */
export async function atOnce<T>(
  max: number,
  each: Iterable<T>,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const limit = pLimit(max);
  try {
    await limit.map(each, work);
  } catch (error) {
    limit.clearQueue();
    throw error;
  }
}

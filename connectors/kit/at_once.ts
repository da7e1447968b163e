/** Limits concurrent requests, so that one stream never floods a provider or the memory. */
import pLimit from 'p-limit';

/**
 * Runs `work` for each item with limited concurrency. A failure drops the queue; an item that is due may still begin.
 */
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

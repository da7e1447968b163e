import { setTimeout as sleep } from 'node:timers/promises';

/** Against what hangs: a busy machine must never end a test that goes on. */
const WAIT_MS_MAX = 120_000;
const POLL_MS = 50;

/** Repeats a check until it holds; its last failure is thrown when it never does. */
export async function eventually<T>(check: () => Promise<T>): Promise<T> {
  for (let waited = 0; waited < WAIT_MS_MAX; waited += POLL_MS) {
    try {
      return await check();
    } catch {
      await sleep(POLL_MS);
    }
  }
  return check();
}

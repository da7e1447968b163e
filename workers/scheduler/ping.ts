/** Tells an outside watch that this scheduler looks. It raises an alarm when it hears nothing: when none does any more. */

import { ping } from '#runtime/deliver.ts';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';

const EACH_MS = 60_000;

export type Pinger = {
  /** A look has served everything that was due. Never throws, and is not waited for. */
  kept(): void;
  stop(): Promise<void>;
};

/** Once a minute at most; one that is not taken is said once, and tried again a minute later. */
export function pinger(address: string | undefined, log: Log): Pinger {
  const stopping = new AbortController();
  let nextAt = Number.NEGATIVE_INFINITY;
  let isRefused = false;
  let underWay: Promise<void> = Promise.resolve();
  const send = async (url: string) => {
    try {
      await ping(url, stopping.signal);
      isRefused = false;
    } catch (error) {
      if (!isRefused && !stopping.signal.aborted)
        log.warn({ reason: messageOf(error) }, 'the ping of the scheduler was not taken');
      isRefused = true;
    }
  };
  return {
    kept() {
      if (address === undefined || performance.now() < nextAt) return;
      nextAt = performance.now() + EACH_MS;
      underWay = send(address);
    },
    async stop() {
      stopping.abort();
      await underWay;
    },
  };
}

/** A worker process that only syncs, and how much memory and processor time it takes. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import manifest from '../../package.json' with { type: 'json' };

const PROGRAM = fileURLToPath(new URL('../programs/sync_worker.ts', import.meta.url));
// Those of `npm run worker`, by which V8 collects earlier than it would on a large machine.
const FLAGS = manifest.scripts.worker.split(' ').filter((word) => word.startsWith('--'));
const MB = 1_000_000;

export type SyncWorker = AsyncDisposable & {
  /** The most memory it has held so far. */
  peakMb(): number;
  /** Processor time of all its threads. */
  cpuSeconds(): number;
  /** Fails when the process has ended by itself. */
  assertAlive(): void;
};

type Sample = { rssBytes: number; cpuMicros: number };

/** `env` holds the keys in NIGHTSHIFT_SECRET_KEYS. */
export async function startSyncWorker(url: string, env: NodeJS.ProcessEnv): Promise<SyncWorker> {
  const worker = fork(PROGRAM, [url], { env, execArgv: FLAGS });
  let peakBytes = 0;
  let cpuMicros = 0;
  worker.on('message', (sample: Sample) => {
    peakBytes = Math.max(peakBytes, sample.rssBytes);
    cpuMicros = sample.cpuMicros;
  });
  await once(worker, 'message'); // it is up
  return {
    peakMb: () => peakBytes / MB,
    cpuSeconds: () => cpuMicros / 1e6,
    assertAlive() {
      if (worker.exitCode !== null) throw new Error('The worker ended before its jobs.');
    },
    async [Symbol.asyncDispose]() {
      if (worker.exitCode !== null) return;
      const exit = once(worker, 'exit');
      worker.disconnect();
      await exit;
    },
  };
}

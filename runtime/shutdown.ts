/** Told to stop: by a process manager (SIGTERM) or by a person (SIGINT, Ctrl-C). */

export type StopSignal = 'SIGINT' | 'SIGTERM';

const exitCodes: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 }; // 128 + number, as a shell says it

// Ctrl-C reaches every process of the terminal, and `npm run` then passes it on to us once more:
// only what comes after this while is a second wish.
const ECHO_MS = 1_000;

let stopping: Promise<StopSignal> | undefined;

/** The first signal to stop, which starts an orderly end. A second one ends the process at once. */
export function stopSignal(): Promise<StopSignal> {
  stopping ??= new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (signal: StopSignal) => {
      if (firstAt !== undefined && performance.now() - firstAt > ECHO_MS) process.exit(exitCodes[signal]);
      firstAt ??= performance.now();
      resolve(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  });
  return stopping;
}

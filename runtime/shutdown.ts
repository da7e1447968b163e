/** Stop signals: of a process manager (SIGTERM) or of a person (SIGINT, Ctrl-C). */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export type StopSignal = (typeof SIGNALS)[number];

const exitCodes: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 }; // 128 + signal number, as shells do

// Ctrl-C reaches every process of the terminal, and `npm run` then forwards it once more: a signal counts as a second
// one only after this time.
const ECHO_MS = 1_000;

let stopping: Promise<StopSignal> | undefined;

/** Resolves with the first stop signal, which starts a graceful stop. A second one exits immediately. */
export function stopSignal(): Promise<StopSignal> {
  stopping ??= new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (signal: StopSignal) => {
      if (firstAt !== undefined && performance.now() - firstAt > ECHO_MS) process.exit(exitCodes[signal]);
      firstAt ??= performance.now();
      resolve(signal);
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
  });
  return stopping;
}

/**
 * For short-lived processes: the first signal exits after `cleanUp`, a second one exits immediately. Does nothing
 * once `stopSignal` was called, because its caller stops gracefully. Leaving the scope removes the handlers.
 */
export function cleanUpOnSignal(cleanUp: () => Promise<unknown>): Disposable {
  let firstAt: number | undefined;
  const onSignal = (signal: StopSignal) => {
    if (stopping !== undefined) return;
    const end = () => process.exit(exitCodes[signal]);
    if (firstAt === undefined)
      cleanUp().then(end, end); // the next run of the command finds what this could not do
    else if (performance.now() - firstAt > ECHO_MS) end();
    firstAt ??= performance.now();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

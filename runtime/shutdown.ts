/** Told to stop: by a process manager (SIGTERM) or by a person (SIGINT, Ctrl-C). */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export type StopSignal = (typeof SIGNALS)[number];

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
    for (const signal of SIGNALS) process.on(signal, onSignal);
  });
  return stopping;
}

/**
 * For a process that nobody has to tell to stop, because it ends soon anyway: the first signal ends it
 * once `cleanUp` is through, a second one at once. Does nothing where somebody has asked for
 * `stopSignal`: whoever did ends in order. Leaving the scope leaves signals alone again.
 */
export function cleanUpOnSignal(cleanUp: () => Promise<unknown>): Disposable {
  let firstAt: number | undefined;
  const onSignal = (signal: StopSignal) => {
    if (stopping !== undefined) return;
    const end = () => process.exit(exitCodes[signal]);
    if (firstAt === undefined)
      cleanUp().then(end, end); // what it could not do, the command's next run finds
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

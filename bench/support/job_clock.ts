/** The time from the start of the first body to the start of the last of so many jobs. */
export function startClock(jobs: number): { started(): void; allStarted: Promise<number> } {
  const { promise, resolve } = Promise.withResolvers<number>();
  let seen = 0;
  let first = 0;
  const started = () => {
    seen += 1;
    if (seen === 1) first = performance.now();
    if (seen === jobs) resolve(performance.now() - first);
  };
  return { started, allStarted: promise };
}

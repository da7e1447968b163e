/** Makes a value at most once in a time, for all who ask meanwhile. */
export function cached<T>(ms: number, make: () => Promise<T>): () => Promise<T> {
  let made: { at: number; value: Promise<T> } | undefined;
  return () => {
    const isOld = made === undefined || performance.now() - made.at >= ms;
    if (isOld) made = { at: performance.now(), value: make() };
    return made?.value ?? make();
  };
}

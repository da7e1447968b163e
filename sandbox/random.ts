/** Chance that is the same on every run. */

export function shuffle<Item>(items: Item[], next: () => number): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(next() * (last + 1));
    const [left, right] = [items[last], items[other]];
    if (left === undefined || right === undefined) continue;
    items[last] = right;
    items[other] = left;
  }
}

/** The same items in another order. */
export function reordered<Item>(items: readonly Item[]): Item[] {
  const shuffled = [...items];
  shuffle(shuffled, pseudoRandom(items.length));
  // Chance may have left them as they were.
  return shuffled.every((item, at) => item === items[at]) ? shuffled.reverse() : shuffled;
}

/** Numbers in [0, 1) that are the same on every run (mulberry32). */
export function pseudoRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

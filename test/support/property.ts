/**
 * How often laws are tried. `npm test` tries the same cases each time, so that it fails only where something
 * was changed, and what takes long in a short form. `npm run test:long` tries everything in full, laws with many
 * new cases, and prints the seed of each; a counterexample that it finds becomes a test of its own.
 * NIGHTSHIFT_SEED repeats a run, NIGHTSHIFT_LONG_FACTOR says how many times as often laws are tried.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { FIXED_SEED } from './random.ts';

type Settings = fc.Parameters<unknown>;
type Property<T> = fc.IProperty<T> | fc.IAsyncProperty<T>;

const LONG_FACTOR = 50;

export const isLong = process.env.NIGHTSHIFT_LONG === '1';

/** Of what takes long, as much as `npm test` does, or all of it. */
export const inForm = <T>(short: T, full: T): T => (isLong ? full : short);

/** Tries a law so many times, in a long run many more. */
export async function assertHolds<T>(
  property: Property<T>,
  numRuns = 100,
  more: Partial<Settings> = {},
): Promise<void> {
  await fc.assert(property as fc.IAsyncProperty<T>, { ...more, ...runs(numRuns) } as fc.Parameters<T>);
}

/** The settings themselves, for values that a test draws before it tries anything. */
export function runs(numRuns: number): { numRuns: number; seed: number } {
  if (!isLong) return { numRuns, seed: FIXED_SEED };
  const seed = seedOr(Math.floor(Math.random() * 0x7fff_ffff));
  const many = { numRuns: numRuns * (numberIn('NIGHTSHIFT_LONG_FACTOR') ?? LONG_FACTOR), seed };
  process.stdout.write(`${many.numRuns} runs with seed ${seed}: ${expect.getState().currentTestName}\n`);
  return many;
}

/** The seed that is asked for, or else this one. */
export const seedOr = (seed: number): number => numberIn('NIGHTSHIFT_SEED') ?? seed;

function numberIn(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === '') return undefined;
  if (!/^-?\d{1,10}$/.test(text)) throw new Error(`${name} is not a whole number: ${text}`);
  return Number(text);
}

/**
 * A bench measures one part and gives named figures. What counts is a ratio of two ways of doing the
 * same work in one run: it means the same on a slow machine and on a fast one.
 */
import type { BenchServer } from './server.ts';

export type Figure = {
  name: string;
  value: number;
  unit: string;
  bar?: Bar;
};

export type Bar = { atLeast: number } | { below: number };

export type Bench = {
  name: string;
  /** It is given up, and its databases are dropped, after this long. */
  limitMs: number;
  run(server: BenchServer, options: BenchOptions): Promise<Figure[]>;
};

/** `connections`: of the fleet, which is then measured at this size only. */
export type BenchOptions = { connections?: number };

export function meets(value: number, bar: Bar): boolean {
  return 'atLeast' in bar ? value >= bar.atLeast : value < bar.below;
}

export function sayBar(bar: Bar): string {
  return 'atLeast' in bar ? `>= ${bar.atLeast}` : `< ${bar.below}`;
}

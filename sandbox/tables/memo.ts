/** What is computed from all rows of a file, once for each instant and not for each request. */
import type { Draft } from '../ndjson.ts';

type Kept = { of: string; answers: Map<string, unknown> };

const kept = new WeakMap<readonly Draft[], Kept>();

/** `key` names what is made. Rows may be added in between; another instant forgets what was made for the last one. */
export function memo<T>(rows: readonly Draft[], now: number, key: string, make: () => T): T {
  const of = `${now} ${rows.length}`;
  const last = kept.get(rows);
  const { answers } = last?.of === of ? last : { answers: new Map<string, unknown>() };
  kept.set(rows, { of, answers });
  if (!answers.has(key)) answers.set(key, make());
  return answers.get(key) as T;
}

/** The profiles of Ayrshare in a scenario, each by its refId. */
import { z } from 'zod';
import type { Draft } from '../ndjson.ts';
import type { Asked, Changes } from '../tables/declare.ts';
import { statesOf } from '../tables/lists.ts';

export const shape = z
  .record(
    z.string(),
    z.strictObject({
      /** Of the account; several profiles have one. */
      apiKey: z.string().min(1).default('sandbox-api-key'),
      /** By default the refId with `-key`. The primary profile has none, and answers where none is given. */
      profileKey: z.string().min(1).optional(),
      primary: z.boolean().default(false),
      title: z.string().optional(),
      suspended: z.boolean().default(false),
      /** So long an answer stays the same. */
      cacheMinutes: z.int().nonnegative().default(30),
      limit: z
        .strictObject({ count: z.int().positive(), seconds: z.int().positive() })
        .default({ count: 300, seconds: 300 }),
    }),
  )
  .default({});

export type Settings = z.infer<typeof shape>[string];

export const FILES = ['accounts', 'posts', 'sent', 'refusals'];

type Cached = { lastUpdated: string; nextUpdate: string };

/** As of when an answer is, and until when it stays. */
export function cached({ account: { settings }, now }: Asked<Settings>): Cached & { at: number } {
  const step = settings.cacheMinutes * 60_000;
  const at = step === 0 ? now : Math.floor(now / step) * step;
  return { at, lastUpdated: new Date(at).toISOString(), nextUpdate: new Date(at + step).toISOString() };
}

/** The newest state of each row that has begun by then: a row holds from `_at` on, the first one from ever. */
export function statesAt(
  changes: Changes,
  rows: readonly Draft[],
  at: number,
  keyOf: (row: Draft) => string,
): Draft[] {
  const begun = rows.filter(({ _at }) => typeof _at !== 'string' || Date.parse(_at) <= at);
  return statesOf(changes, begun, keyOf);
}

/** As the provider shows it: without what only the scenario says. */
export function shown(row: Draft, ...hidden: readonly string[]): Draft {
  return Object.fromEntries(
    Object.entries(row).filter(([key]) => !key.startsWith('_') && !hidden.includes(key)),
  );
}

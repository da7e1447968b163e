/** Settings over all brands: the currency of `bi.platform_metrics`, and the roles of readers. */

import type { Db, Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from './audit.ts';
import { assertCurrency } from './brands.ts';

/**
 * Stores the currency where the view can read it. Undefined keeps the stored one, so that processes without the
 * setting do not undo it.
 */
export async function keepPlatformCurrency(db: Db, currency: string | undefined, now: Date): Promise<void> {
  if (currency === undefined) return;
  assertCurrency(currency);
  await db.transaction(async (tx) => {
    const { rows } = await tx.query<{ before: string }>(
      'select currency as before from ops.platform_settings for update',
    );
    const before = rows[0]?.before;
    if (before !== currency) await changeCurrency(tx, before, currency, now);
  });
}

async function changeCurrency(tx: Tx, before: string | undefined, currency: string, now: Date) {
  await tx.query(
    `insert into ops.platform_settings as p (currency, set_at) values ($1, $2)
     on conflict (is_only_row) do update set currency = excluded.currency, set_at = excluded.set_at`,
    [currency, now],
  );
  await recordAction(tx, {
    action: 'platform.currency',
    ...{ target: 'platform', after: { currency } },
    ...(before !== undefined && { before: { currency: before } }),
  });
}

/** Creates the roles if the account may, and grants them what they may read. Returns the missing ones. */
export async function grantReaders(db: Reader): Promise<string[]> {
  const { rows } = await db.query<{ missing: string[] }>('select ops.grant_readers() as missing');
  return rows[0]?.missing ?? [];
}

/** What an administrator types to create the missing roles. */
export function rolesToMake(missing: readonly string[]): string[] {
  if (missing.length === 0) return [];
  return [
    `This account may not create roles, and ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing. An administrator can:`,
    ...missing.map((role) => `  create role ${role} nologin;`),
    'After that: npx nightshift migrate',
  ];
}

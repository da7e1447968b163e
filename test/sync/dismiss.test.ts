/** Records without an id: each is set aside by itself, and leaves only if somebody dismisses it. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { by, fakeProvider, json } from '../support/providers/provider.ts';
import { ACCOUNT, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { connectStripe } from '../support/providers/stripe_sync.ts';

const STREAM = 'stripe.charges';
const charge = (more: object) => ({ object: 'charge', created: NOW_SECONDS - 600, currency: 'usd', ...more });

test('records without an id are set aside each by itself, and dismissed by their digest', async () => {
  let data: object[] = [
    charge({ amount: 1 }),
    charge({ amount: 2, id: null }),
    charge({ deleted: true }),
    charge({ id: 'ch_1' }),
  ];
  await using db = await freshDb();
  await using stripe = await fakeProvider(
    by(({ path }) =>
      json(
        path.includes('/account')
          ? { object: 'account', id: ACCOUNT }
          : { object: 'list', has_more: false, data },
      ),
    ),
  );
  const [account, other] = [await connectStripe(db, stripe), await connectStripe(db, stripe)];
  const window = { since: '2026-11-01T00:00:00Z', until: NOW };
  for (const { sync } of [account, other, account])
    expect(await sync('charges', window)).toMatchObject({ rejected: 4 });
  const keysOf = (one: typeof account) =>
    db.column('select row_key from ops.rejected_rows where connection_id = $1 order by 1', [
      one.connectionId,
    ]);
  const keys = (await keysOf(account)).map(String);
  expect(keys).toEqual(['ch_1', ...Array(3).fill(expect.stringMatching(/^sha256:[0-9a-f]{32}$/))]);

  const env = { DATABASE_URL: db.url };
  for (const { brandId, connectionId } of [other, account])
    await db.query(
      `insert into ops.job_runs (job_id, task, attempt, outcome, payload, pool_id, claimed_at, started_at, finished_at)
       values ($3, 'sync_stream', 1, 'partial', $1, 'p', $2, $2, $2)`,
      [{ brandId, connectionId, stream: STREAM }, NOW, connectionId === account.connectionId ? 7 : 8],
    );
  await db.query("update ops.rejected_rows set reason = 'of another' where brand_id = $1", [other.brandId]);
  const shown = await nightshift(['jobs', 'show', '7'], { env });
  for (const key of keys) expect(shown.stdout).toContain(`  ${key} of ${STREAM}: `);
  expect(shown.stdout).not.toContain('of another');

  const dismiss = (...records: string[]) =>
    nightshift(['sync', 'dismiss', account.connectionId, ...records, '--stream', STREAM, '--json'], { env });
  const mistyped = await dismiss(...keys, 'ch_2');
  expect(mistyped.code).toBe(2);
  expect(mistyped.stderr).toContain('ch_2');
  expect(await keysOf(account)).toEqual(keys);
  const dismissed = await dismiss(...keys);
  expect(dismissed.json()).toMatchObject([{ stream: STREAM, dismissed: 4 }]);
  expect(await keysOf(account)).toEqual([]);
  expect(await keysOf(other)).toEqual(keys);
  expect(
    await db.rows(
      "select brand_id, before, details from ops.audit_log where action = 'sync.dismiss' order by before ->> 'record'",
    ),
  ).toEqual(
    keys.map((record) => ({
      brand_id: account.brandId,
      before: { record, reason: expect.any(String) },
      details: { stream: STREAM },
    })),
  );
  data = [];
  expect(await account.sync('charges', window)).not.toHaveProperty('incomplete');
});

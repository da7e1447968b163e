/** Each fault in the rows of a brand is found by its check of `doctor`, and no other brand is blamed. */
import { expect, test } from 'vitest';
import { rejectRows } from '#sql/load/quarantine.ts';
import type { Result } from '../../bin/cli/doctor/check.ts';
import { freshDb } from '../support/db/db.ts';
import { examine, wrongOf } from '../support/doctor.ts';
import { aShop, type Shop } from '../support/rows/factory.ts';

type Case = {
  check: string;
  breaks: string;
  severity: Result['severity'];
  evidence: RegExp;
  mend: RegExp;
};

const CASES: Case[] = [
  {
    ...{
      check: 'zone data',
      severity: 'failure',
      evidence: /does not know the zone Mars\/Base/,
      mend: /tzdata/,
    },
    breaks: "update app.brands set time_zone = 'Mars/Base' where id = :brand",
  },
  {
    ...{ check: 'invalid objects', severity: 'failure', evidence: /not_yet of app.brands is not validated/ },
    breaks: "alter table app.brands add constraint not_yet check (slug <> 'x') not valid",
    mend: /validate constraint not_yet/,
  },
  {
    ...{
      check: 'bloat',
      severity: 'warning',
      evidence: /ops.early_deletions has 2\d,?\d{3} dead rows/,
      mend: /vacuum/,
    },
    breaks: `alter table ops.early_deletions set (autovacuum_enabled = false);
             insert into ops.early_deletions
             select :brand, :connection, 'x', n::text, now(), now() from generate_series(1, 20000) n;
             delete from ops.early_deletions; select pg_stat_force_next_flush()`,
  },
  {
    ...{
      check: 'oldest waiting job',
      severity: 'failure',
      evidence: /No worker runs, and job \d+ \(retention\) has been waiting for/,
    },
    breaks: "select graphile_worker.add_job('retention', '{}', run_at => now() - interval '1 hour')",
    mend: /nightshift up/,
  },
  {
    ...{
      check: 'dead jobs',
      severity: 'failure',
      evidence: /1 odd job dead, 0 made good/,
      mend: /jobs show \d+/,
    },
    breaks: `select graphile_worker.add_job('odd', '{}', job_key => 'odd');
             select graphile_worker.permanently_fail_jobs(array(select job_id from ops.jobs where task = 'odd'), 'no')`,
  },
  {
    ...{
      check: 'stale locks',
      severity: 'failure',
      evidence: /ghost has held 1 job and 0 lanes/,
      mend: /worker/,
    },
    breaks: `select graphile_worker.add_job('held_by_nobody', '{}', job_key => 'ghost');
             update graphile_worker._private_jobs set locked_by = 'ghost', locked_at = now() - interval '1 hour'
             where key = 'ghost'`,
  },
  {
    ...{
      check: 'schedules',
      severity: 'failure',
      evidence: /No scheduler has looked at 1 schedule/,
      mend: /up/,
    },
    breaks: `insert into ops.schedules (name, task, expression, decided_to, next_slot)
             values ('late', 'retention', '0 2 * * *', now(), now() - interval '1 hour')`,
  },
  {
    ...{
      check: 'schedules',
      severity: 'warning',
      evidence: /\d+ never has no next slot/,
      mend: /schedules edit/,
    },
    breaks: `insert into ops.schedules (name, task, expression, decided_to) values ('never', 'retention', '0 2 31 2 *', now())`,
  },
  {
    ...{
      check: 'schedules',
      severity: 'warning',
      evidence: /paused: stocktaking, by ann/,
      mend: /schedules resume/,
    },
    breaks: `insert into ops.schedules (name, task, expression, decided_to, next_slot, paused_at, paused_by, paused_reason)
             values ('quiet', 'retention', '0 2 * * *', now(), now() + interval '1 day', now(), 'ann', 'stocktaking')`,
  },
  {
    ...{
      check: 'pauses',
      severity: 'warning',
      evidence: /ann paused acme without an end: they move; 0 jobs/,
    },
    breaks: `insert into ops.pauses (flag, brand_id, reason, paused_by)
             values (ops.pause_flag(null, null, :brand, null), :brand, 'they move', 'ann')`,
    mend: /jobs resume --brand acme/,
  },
  {
    ...{
      check: 'provisional nights',
      severity: 'failure',
      evidence: /2026-01-02 of acme has been provisional for more than a day/,
    },
    breaks: `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at)
             values (:brand, '2026-01-02', 'provisional', '2026-01-03', '2026-01-03', '2026-01-03')`,
    mend: /nights show --brand acme --date 2026-01-02/,
  },
  {
    ...{
      check: 'missed nights',
      severity: 'warning',
      evidence: /the night of 20\d\d-\d\d-\d\d never began/,
      mend: /schedules backfill \d+ --since/,
    },
    breaks: `with s as (
               insert into ops.schedules (brand_id, name, task, expression, decided_to)
               values (:brand, 'other', 'nightly', '0 2 * * *', now()) returning id, brand_id)
             insert into ops.schedule_slots (brand_id, schedule_id, slot, version, local_day, outcome, decided_at, decided_by)
             select brand_id, id, now() - interval '9 days', 1, current_date - 9, 'missed', now(), 'test' from s`,
  },
  {
    ...{
      check: 'sums of figures',
      severity: 'failure',
      evidence: /daily_campaigns of acme does not add up on 1 day from 2026-01-02 to 2026-01-02/,
      mend: /rollup run --brand acme --from 2026-01-02/,
    },
    breaks: `insert into ops.figure_checks (brand_id, rollup, day, currency, expected, found, checked_at)
             values (:brand, 'daily_campaigns', '2026-01-02', 'GBP', 2, 1, now()),
                    (:brand, 'daily_campaigns', '2026-01-03', 'GBP', 2, 2, now())`,
  },
  {
    ...{
      check: 'closed periods',
      severity: 'warning',
      evidence: /frozen rows of 2026-01 of acme were last counted at 20/,
      mend: /nights list --brand acme/,
    },
    breaks: `insert into ops.period_closings (brand_id, period, closed_at, closed_by, counted_at)
             values (:brand, '2026-01-01', now(), 'test', now() - interval '3 days')`,
  },
  {
    ...{
      check: 'open alerts',
      severity: 'failure',
      evidence: /Broken for acme: a promise. a cause/,
      mend: /a hint/,
    },
    breaks: `insert into ops.alerts (brand_id, kind, promise, cause, hint, raised_at) values (:brand, 'night', 'a promise', 'a cause', 'a hint', now())`,
  },
  {
    ...{
      check: 'held connections',
      severity: 'failure',
      evidence: /has been held since .*: the key is refused/,
    },
    breaks:
      "update app.connections set held_at = now(), held_reason = 'the key is refused' where id = :connection",
    mend: /connections check \S+ --brand acme/,
  },
  {
    ...{
      check: 'tokens',
      severity: 'warning',
      evidence: /ended on 2026-01-01/,
      mend: /sync run --brand acme/,
    },
    breaks: "update app.connections set token_expires_at = '2026-01-01' where id = :connection",
  },
];

test('what is wrong is found, in the rows of the brand that it is in', async () => {
  await using db = await freshDb();
  const [one] = [await aShop(db, { slug: 'acme' }), await aShop(db, { slug: 'brio' })];
  for (const { breaks } of CASES) await db.query(naming(one, breaks));
  const stream = { brandId: one.brand.id, connectionId: one.connection.id, stream: 'shopify.orders' };
  await db.transaction((tx) => rejectRows(tx, stream, [{ key: '1', reason: 'strange', payload: {} }]));
  const { code, checks } = await examine(db, { NIGHTSHIFT_CONCURRENCY: '64' });
  expect(code).toBe(1);
  for (const { check, severity, evidence, mend } of CASES)
    expect(wrongOf(checks, check)).toContainEqual({
      ...{ severity, evidence: expect.stringMatching(evidence), mend: expect.stringMatching(mend) },
    });
  expect(wrongOf(checks, 'quarantined records')).toMatchObject([
    {
      severity: 'warning',
      evidence: expect.stringContaining('1 record'),
      mend: expect.stringContaining('--brand acme'),
    },
  ]);
  expect(wrongOf(checks, 'max_connections')).toMatchObject([{ severity: 'warning' }]);
  for (const check of ['provisional nights', 'open alerts', 'held connections', 'tokens'])
    expect(wrongOf(checks, check)).toHaveLength(1);
});

function naming({ brand, connection }: Shop, sql: string): string {
  return sql.replaceAll(':brand', `'${brand.id}'`).replaceAll(':connection', `'${connection.id}'`);
}

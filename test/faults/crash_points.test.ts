/**
 * A worker is killed at each statement that it sends and at each request that it makes in a sync, from the claim of the
 * job to its end and on through the rollup that follows. Wherever that is, the next worker brings it to the same end.
 */
import { expect } from 'vitest';
import { enqueue } from '#tasks/enqueue.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import type { Findings } from '../support/faults/checker.ts';
import {
  type Crash,
  type Mode,
  makePoints,
  pointProxy,
  requests,
  statements,
} from '../support/faults/crash_points.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aRealWorker } from '../support/money/worker.ts';
import { inForm, isLong } from '../support/property.ts';
import { charge, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const CHARGES = 130; // two pages
const SHORT_FORM = [/ops\.end_run/];
const MODES = inForm<readonly Mode[]>(['after'], ['before', 'after']);

const FILES = {
  charges: Array.from({ length: CHARGES }, (_, n) => charge(`ch_${n}`, { created: NOW_SECONDS - n * 60 })),
};

/** All that a sync of a connection leaves, but whose it is and when it was stored. */
async function stored(db: TestDb, { brandId, connectionId }: { brandId: string; connectionId: string }) {
  const key = [brandId, connectionId];
  return {
    rows: await db.column(
      `select to_jsonb(t) - '{brand_id,connection_id,seen_at}'::text[] from raw.stripe_charges t
       where brand_id = $1 and connection_id = $2 order by id`,
      key,
    ),
    positions: await db.rows(
      'select stream, state, cause, position from ops.positions where brand_id = $1 and connection_id = $2',
      key,
    ),
    ends: await db.column(
      `select outcome from ops.job_runs where brand_id = $1 and connection_id = $2 and task = 'sync_stream'
         and outcome in ('succeeded', 'partial')`,
      key,
    ),
  };
}

/** What the worker was at, by what it said. */
function phaseOf(name: string): string {
  if (name.startsWith('fetch')) return 'fetch';
  if (/get_job|begin_run|_private_jobs.*locked_at/s.test(name)) return 'claim';
  if (/ops\.end_run/.test(name)) return 'end';
  if (/^(begin|ops\.fence|select.*ops\.fence)/.test(name)) return 'fence';
  if (/^commit/.test(name)) return 'commit';
  if (/^select/.test(name)) return 'read';
  return 'load';
}

fault('crash at every point of a sync', async ({ report }) => {
  await using db = await freshDb();
  await using calm = await anAccountOf(db, FILES);
  await using opened = new AsyncDisposableStack();
  const points = makePoints();
  const server = opened.use(await pointProxy(db.url, points, statements));
  const provider = opened.use(await pointProxy(calm.sandbox.url, points, requests));
  const sandbox = { url: new URL(provider.url).origin };
  let worker = opened.use(aRealWorker(server));
  /** One sync, at most one crash, and what it leaves. */
  const syncOnce = async (crash?: Omit<Crash, 'kill'>) => {
    const { brandId, connectionId } = await connectStripe(db, sandbox);
    let killed = false;
    const kill = () => {
      killed = true;
      worker.child.kill('SIGKILL');
      worker = opened.use(aRealWorker(server)); // it takes over what the other one had
    };
    points.arm(crash && { ...crash, kill });
    const payload = { brandId, connectionId, stream: 'stripe.charges', now: NOW };
    await db.transaction((tx) => enqueue(tx, syncStream, payload));
    await eventually(async () => expect(await db.column('select job_id from ops.jobs')).toEqual([]));
    return { killed, left: await stored(db, { brandId, connectionId }) };
  };

  await eventually(async () => expect(await db.column('select id from ops.workers')).toHaveLength(1));
  const expected = (await syncOnce()).left;
  expect(expected.rows).toHaveLength(CHARGES);
  expect(expected.ends).toEqual(['succeeded']);
  const names = [...points.passed];
  const chosen = inForm(
    SHORT_FORM.map((pattern) => names.find((name) => pattern.test(name)) ?? ''),
    names,
  );
  const found: Findings = { jobs: 0, lost: [], doubled: [], locked: [], refusals: 0, recoveryMs: [] };
  const phases = new Set<string>();
  let injected = 0;
  for (const mode of MODES) {
    for (const point of chosen) {
      const { killed, left } = await syncOnce({ point, mode });
      found.jobs += 1;
      if (killed) phases.add(phaseOf(point));
      injected += Number(killed);
      expect(left, `killed ${mode} ${point}`).toEqual(expected);
    }
  }
  const note = `${chosen.length} points: ${[...phases].sort().join(', ')}; each ${MODES.join(' and ')}`;
  report(found, { injected, note });
  expect(injected).toBeGreaterThanOrEqual(chosen.length * MODES.length * 0.8); // a few are not there each time
  expectNothingLost(found);
  if (isLong)
    expect([...phases].sort()).toEqual(['claim', 'commit', 'end', 'fence', 'fetch', 'load', 'read']);
});

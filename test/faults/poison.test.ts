/** Jobs that end whoever runs them, or never end, beside jobs that want nothing but to be done. */
import { expect } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { check } from '../support/faults/checker.ts';
import { addAll, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet, type Fleet } from '../support/faults/fleet.ts';
import { openHistory } from '../support/faults/history.ts';
import { makePayments, POISONS, payment, poison } from '../support/faults/tasks.ts';
import { inForm, isLong } from '../support/property.ts';

const WORKERS = inForm(1, 2);
const JOBS = inForm(8, 120);
const BODY_MS = inForm(300, 2_000); // long enough to be in hand when a poison ends the process
const KINDS = inForm<readonly (typeof POISONS)[number][]>(['garbage', 'nonsense', 'exit'], POISONS);
const STALL_SECONDS = 2;
const DRAIN_MS = 240_000;

fault('poison jobs', async ({ report }) => {
  await using db = await freshDb();
  await using history = await openHistory();
  await makePayments(db);
  const nodeFlags = ['--max-old-space-size=96'];
  await using fleet = aFleet({ url: db.url, history, stallSeconds: STALL_SECONDS, nodeFlags });
  const poisons = KINDS.map((how) => ({ label: `poison ${how}`, how }));
  await addAll(db, history, poison, poisons);
  const payloads = Array.from({ length: JOBS }, (_, n) => ({ label: `job ${n}`, ms: BODY_MS }));
  await addAll(db, history, payment, payloads);
  {
    using _ = keepUp(fleet);
    expect(await untilDrained(db, DRAIN_MS, { hurry: !isLong })).toBe(0);
  }
  const dead = poisons.map(({ label }) => label);
  const found = await check(db, history, dead);
  const ended = history.read().filter(({ what }) => what === 'ended').length;
  const reasons = await db.rows<{ how: string; attempts: number; last_error: string }>(
    `select payload ->> 'how' as how, attempts, last_error from graphile_worker._private_jobs order by 1`,
  );
  report(found, {
    injected: KINDS.length,
    note: `${KINDS.join(', ')}; ${ended} workers ended, all poison is dead`,
  });
  expectNothingLost(found);
  // Each is quarantined, and says why; nothing else is.
  expect(reasons.map(({ how }) => how)).toEqual([...KINDS].sort());
  for (const { last_error } of reasons) expect(last_error).toMatch(/\S/);
});

/** As a service manager: whoever ends is started again. */
function keepUp(fleet: Fleet): Disposable {
  let isOver = false;
  const keep = async () => {
    while (!isOver) {
      await fleet.keep(WORKERS).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  void keep();
  return {
    [Symbol.dispose]() {
      isOver = true;
    },
  };
}

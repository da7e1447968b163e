/** Sessions that end, and processes that stand still while the world goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { check } from '../support/faults/checker.ts';
import { addAll, jobsLeft, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet } from '../support/faults/fleet.ts';
import { openHistory } from '../support/faults/history.ts';
import { makePayments, payment } from '../support/faults/tasks.ts';
import { inForm } from '../support/property.ts';

const DRAIN_MS = 90_000;
const WORKERS = "application_name in ('nightshift jobs', 'nightshift worker', 'nightshift queue')";
const OURS = `pid <> pg_backend_pid() and datname = current_database() and ${WORKERS}`;

fault('terminated sessions', async ({ random, report }) => {
  await using db = await freshDb();
  await using history = await openHistory();
  await makePayments(db);
  await using fleet = aFleet({ url: db.url, history });
  const count = inForm(1, 2);
  await fleet.keep(count);
  const jobs = inForm(60, 3_000);
  await addAll(
    db,
    history,
    payment,
    Array.from({ length: jobs }, (_, n) => ({ label: `job ${n}`, ms: 40 })),
  );
  let injected = 0;
  const terminationsMax = inForm(5, 200);
  while (injected < terminationsMax && (await jobsLeft(db)) > 0) {
    await sleep(random() * 200);
    const pids = await db.column(`select pid from pg_stat_activity where ${OURS} order by pid`);
    const pid = pids[Math.floor(random() * pids.length)];
    if (pid !== undefined) await db.query('select pg_terminate_backend($1)', [pid]);
    injected += 1;
  }
  expect(await untilDrained(db, DRAIN_MS, { hurry: true })).toBe(0);
  const found = await check(db, history);
  report(found, { injected });
  expectNothingLost(found);
  expect(fleet.members).toHaveLength(count); // no worker ended
});

// While it stands still its sessions end, as a firewall ends them or an operator. It wakes up in the midst of a body,
// whose job another worker has run meanwhile.
fault('SIGSTOP past recovery, then SIGCONT', async ({ random, report }) => {
  await using db = await freshDb();
  await using history = await openHistory();
  await makePayments(db);
  await using fleet = aFleet({ url: db.url, history });
  await fleet.start();
  const turns = inForm(1, 4);
  for (let turn = 0; turn < turns; turn++) {
    await addAll(
      db,
      history,
      payment,
      Array.from({ length: 8 }, (_, n) => ({ label: `${turn}:${n}`, ms: inForm(600, 1_500) })),
    );
    const sleeper = await fleet.busy(random);
    history.add({ what: 'fault', kind: 'SIGSTOP', worker: sleeper.name });
    sleeper.program.child.kill('SIGSTOP');
    await db.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${OURS}`);
    await using heirs = aFleet({ url: db.url, history });
    await heirs.keep(1);
    await eventually(async () => expect(await jobsLeft(db)).toBe(0));
    sleeper.program.child.kill('SIGCONT');
    await fleet.stop(sleeper, 60_000); // its log says what was refused
    await fleet.start();
  }
  const found = await check(db, history);
  report(found, { injected: turns });
  expectNothingLost(found);
  expect(found.refusals).toBeGreaterThan(0);
});

/**
 * Three workers and two schedulers, each on a machine of its own as far as the network goes. In the midst of the work the
 * links of a worker and of a scheduler are cut; later they come back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { ownPostgres } from '../support/db/own_postgres.ts';
import { untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet } from '../support/faults/fleet.ts';
import { openHistory } from '../support/faults/history.ts';
import { aMachine, letMachinesIn, REACHABLE } from '../support/faults/network.ts';
import { addSchedules, checkSlots } from '../support/faults/slots.ts';
import { makePayments } from '../support/faults/tasks.ts';

const FACTOR = 60;
const BEFORE_MS = 4_000;
const CUT_MS = 12_000;
const AFTER_MS = 6_000;
const DRAIN_MS = 120_000;

fault(
  'three workers, two schedulers, a cut',
  async ({ random, report, notRun }) => {
    await using machines = new AsyncDisposableStack();
    const made = await Promise.all(Array.from({ length: 5 }, aMachine));
    for (const machine of made) if (machine) machines.use(machine);
    if (made.includes(undefined)) return notRun('needs root and network namespaces');
    await using postgres = await ownPostgres({ settings: REACHABLE, prepare: letMachinesIn });
    const { db } = postgres;
    await using history = await openHistory();
    await makePayments(db);
    const from = new Date(Math.floor(Date.now() / 60_000) * 60_000);
    await addSchedules(db, from);
    await using fleets = new AsyncDisposableStack();
    const all = made.flatMap((machine, n) => {
      if (!machine) return [];
      const scheduler = n < 2 ? { from, factor: FACTOR } : undefined;
      const url = machine.urlOf(db.url);
      const fleet = fleets.use(aFleet({ url, history, launcher: machine.launcher, scheduler }));
      return [{ machine, fleet }];
    });
    await Promise.all(all.map(({ fleet }) => fleet.keep(1)));
    const [scheduler, , worker] = all;
    if (!scheduler || !worker) throw new Error('There are five.');
    await sleep(BEFORE_MS);
    await worker.fleet.busy(random);
    for (const { machine, fleet } of [scheduler, worker]) {
      history.add({ what: 'fault', kind: 'partition', worker: fleet.members[0]?.name });
      await machine.cut();
    }
    await sleep(CUT_MS);
    for (const { machine } of [scheduler, worker]) await machine.mend();
    await sleep(AFTER_MS);
    for (const { fleet } of all.slice(0, 2)) {
      const member = fleet.members[0];
      if (member) await fleet.stop(member, 60_000);
    }
    expect(await untilDrained(db, DRAIN_MS, { hurry: true })).toBe(0);
    for (const { fleet } of all.slice(2)) {
      const member = fleet.members[0];
      if (member) await fleet.stop(member, 60_000); // its log says what was refused
    }
    const found = await checkSlots(db, history, from);
    report(found, { injected: 2, note: `cut for ${CUT_MS / 1_000} s; jobs: slots` });
    expectNothingLost(found);
  },
  { short: false },
);

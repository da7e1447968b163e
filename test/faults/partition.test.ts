/** A machine whose link is gone: it goes on with what it has in hand, and nobody can tell it that this is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { ownPostgres } from '../support/db/own_postgres.ts';
import { check } from '../support/faults/checker.ts';
import { addAll, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet } from '../support/faults/fleet.ts';
import { openHistory } from '../support/faults/history.ts';
import { aMachine, letMachinesIn, REACHABLE } from '../support/faults/network.ts';
import { makePayments, payment } from '../support/faults/tasks.ts';
import { inForm } from '../support/property.ts';

const PARTITIONS_SECONDS = inForm([10], [2, 20]);
const JOBS_EACH = 30;
const BODY_MS = 500;
const DRAIN_MS = 120_000;

fault(
  'partition',
  async ({ random, report, notRun }) => {
    await using machine = await aMachine();
    if (!machine) return notRun('needs root and network namespaces');
    await using postgres = await ownPostgres({ settings: REACHABLE, prepare: letMachinesIn });
    const { db } = postgres;
    await makePayments(db);
    await using history = await openHistory();
    await using there = aFleet({ url: machine.urlOf(db.url), launcher: machine.launcher, history });
    await using here = aFleet({ url: db.url, history });
    await there.keep(1);
    for (const [turn, seconds] of PARTITIONS_SECONDS.entries()) {
      const payloads = Array.from({ length: JOBS_EACH }, (_, n) => ({ label: `${turn}:${n}`, ms: BODY_MS }));
      await addAll(db, history, payment, payloads);
      await there.busy(random);
      await here.keep(1);
      await sleep(random() * BODY_MS);
      history.add({ what: 'fault', kind: 'partition', worker: there.members[0]?.name });
      await machine.cut();
      await sleep(seconds * 1_000);
      await machine.mend();
      await untilDrained(db, DRAIN_MS);
    }
    // It is back: it claims again.
    await here.stop(await here.busy(random), 30_000);
    const begun = there.members[0]?.begun ?? 0;
    await addAll(db, history, payment, [{ label: 'last', ms: 1 }]);
    expect(await untilDrained(db, DRAIN_MS)).toBe(0);
    expect(there.members[0]?.begun).toBeGreaterThan(begun);
    await there.stop(await there.busy(random), 30_000);
    const found = await check(db, history);
    const note = `link down for ${PARTITIONS_SECONDS.join(', ')} s`;
    report(found, { injected: PARTITIONS_SECONDS.length, note });
    expectNothingLost(found);
  },
  { short: false },
);

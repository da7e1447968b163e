/** Whatever dies, breaks or lags: each letter is received once. */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { jobsLeft } from '../support/faults/driver.ts';
import { aMailbox, aSender, type Box, dying, received, runLetter } from '../support/mail/mail.ts';
import { runProgram } from '../support/program.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { FIXED_SEED, randomFrom } from '../support/random.ts';

const TRIES = [
  'dies before',
  'dies after',
  'breaks before',
  'breaks after',
  '500',
  '502 after',
  '429',
  'fine',
] as const;
const fault: Partial<Record<(typeof TRIES)[number], object>> = {
  'breaks before': { kind: 'reset' },
  'breaks after': { kind: 'reset', done: true },
  '500': { kind: 'status', status: 500 },
  '502 after': { kind: 'status', status: 502, done: true },
  '429': { kind: 'status', status: 429, resetSeconds: 1 },
};

test('a letter is received once, whatever its attempts come to and however the log lags within the window', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const plan = fc.array(fc.record({ tries: fc.constantFrom(...TRIES), late: fc.nat(2) }), { maxLength: 3 });
  await assertHolds(
    fc.asyncProperty(plan, async (attempts) => {
      const [id = ''] = await sender.queue();
      for (const { tries, late } of [...attempts, { tries: 'fine', late: 0 } as const]) {
        await setFaults(
          box,
          ...(fault[tries] ? [{ on: 'sendgrid', match: 'mail/send', ...fault[tries] }] : []),
        );
        const death = { 'dies before': 'before the request', 'dies after': 'after the request' } as const;
        await runLetter(db, id, tries in death ? dying(death[tries as keyof typeof death]) : {});
        await setFaults(box, ...(late > 0 ? [{ kind: 'late_logs', count: late }] : []));
        for (let look = 0; look < late; look++) {
          await sender.age(5);
          await runLetter(db, id);
        }
        await setFaults(box);
        await db.query('delete from ops.rate_budgets; delete from ops.pauses');
        await sender.age(121);
      }
      await runLetter(db, id);
      const [state] = await db.column('select state from ops.mail where id = $1', [id]);
      const letters = (await received(box)).filter(({ custom_args }) => custom_args.ns_mail === id);
      expect({ state, received: letters.length }).toEqual({ state: 'sent', received: 1 });
    }),
    12,
  );
});

/** How many letters were handed over so far, be they taken yet or not. */
async function slowed({ url }: Box): Promise<number> {
  const { faults } = (await (await fetch(`${url}/_sandbox/faults`)).json()) as { faults: { seen: number }[] };
  return faults[0]?.seen ?? 0;
}

const LETTERS = inForm(24, 400);
const KILLS = inForm(3, 30);

test(
  'workers are killed at any moment, and each letter is received once',
  async () => {
    await using box = await aMailbox();
    await using db = await freshDb();
    const [sender, other] = [await aSender(db, box), await aSender(db, box)];
    const to = Array.from({ length: LETTERS / 2 }, (_, n) => `r${n}@example.com`);
    const ids = [...(await sender.queue({ to })), ...(await other.queue({ to }))];
    const random = randomFrom(FIXED_SEED);
    await setFaults(box, { kind: 'slow', ms: 250, on: 'sendgrid', match: 'mail/send', count: 0 });
    let asked = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await using worker = runProgram('mail_worker.ts', [db.url]);
      await worker.line();
      const wanted = asked + 1 + Math.floor(random() * 3);
      await eventually(async () => {
        asked = await slowed(box);
        if (asked < wanted) throw new Error(`The provider was asked ${asked} times.`);
      });
      await sleep(random() * 200); // mostly while the provider is at work on it
      worker.child.kill('SIGKILL');
    }
    await sleep(300); // what the last one has sent is taken, though nobody waits for the answer
    await setFaults(box);
    for (const one of [sender, other]) await one.age(121);
    await using worker = runProgram('mail_worker.ts', [db.url]);
    await worker.line();
    for (let n = 0; n < inForm(600, 6_000) && (await jobsLeft(db, true)) > 0; n++) await sleep(100);
    expect(await db.column('select distinct state from ops.mail')).toEqual(['sent']);
    const tokens = (await received(box)).map(({ custom_args }) => custom_args.ns_mail);
    expect(tokens.toSorted()).toEqual(ids.toSorted());
    const [interrupted] = await db.column(
      "select count(*)::int from ops.mail where attempts > 1 or told_by = 'log'",
    );
    expect(interrupted).toBeGreaterThan(0); // it was a storm
  },
  inForm(120_000, 900_000),
);

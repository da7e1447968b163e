/** Lists that SendGrid gives badly: pages twice, in disorder, with tokens that are over, or with rows that come late. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { ACCOUNT, connectSendGrid, NOW, sendgridSandbox, serve } from '../support/providers/sendgrid.ts';

const SECONDS = Date.parse(NOW) / 1000;
const STREAMS = ['bounces', 'single_sends', 'templates'];
const LAST = 'r1099@example.com';

const aSend = (n: number, more: object = {}) => ({
  ...{ id: `s${100 + n}`, name: `Send ${n}`, status: 'triggered', categories: [], is_abtest: false },
  ...{ send_at: '2026-11-18T15:00:00Z', created_at: '2026-11-17T15:00:00Z' },
  ...{ updated_at: '2026-11-18T15:00:00Z', ...more },
});
const files = {
  bounces: Array.from({ length: 1_100 }, (_, n) => ({
    ...{ created: SECONDS - 1_200 + n, email: `r${n}@example.com` },
  })),
  singlesends: [
    aSend(1, { name: 'before', updated_at: '2026-11-17T15:00:00Z' }),
    ...Array.from({ length: 120 }, (_, n) => aSend(n)),
  ],
  templates: Array.from({ length: 410 }, (_, n) => ({ id: `t${n}`, name: `T${n}`, generation: 'dynamic' })),
};
const limit = { count: 900, seconds: 3_600 };
const accounts = { [ACCOUNT]: { zone: 'America/New_York', limit } };

async function aPlace() {
  const sandbox = await sendgridSandbox(files, { accounts });
  const db = await freshDb();
  const [calm, one] = [await connectSendGrid(db, sandbox), await connectSendGrid(db, sandbox)];
  await calm.load(STREAMS);
  await db.query('delete from ops.rate_budgets');
  const rowsOf = async (brand: typeof one) => ({
    // Digests of addresses differ from brand to brand.
    bounces: await brand.rows('bounces', 'created_at', 'created_at'),
    sends: await brand.rows('single_sends', 'id, name'),
    templates: await brand.rows('templates', 'id'),
  });
  return {
    ...{ sandbox, one, calm: await rowsOf(calm), rows: () => rowsOf(one) },
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

test.each([
  ['the page before, again', [{ kind: 'repeat_page', count: 4 }]],
  ['the page before in the middle of a list', [{ kind: 'repeat_page', after: 1, count: 1 }]],
  ['pages in disorder', [{ kind: 'reorder_page', count: 0 }]],
  ['a token that is over', ['singlesends', 'templates'].map((match) => ({ kind: 'expired_cursor', match }))],
])('%s: nothing is lost, and nothing is taken for deleted', async (_, faults) => {
  await using place = await aPlace();
  await setFaults(place.sandbox, ...faults);
  await place.one.load(STREAMS);
  expect(await place.rows()).toEqual(place.calm);
  expect(await place.one.faults()).toEqual([]);
});

test('rows that come late, and versions that were over, are made good by the next night', async () => {
  await using place = await aPlace();
  await setFaults(
    place.sandbox,
    { kind: 'late_rows', ids: [LAST, 's110', 't5'], seconds: 3_600 },
    { kind: 'older_version', ids: ['s101'], count: 0 },
  );
  await place.one.load(STREAMS);
  const { bounces, sends, templates } = await place.rows();
  expect([bounces.length, sends.length, templates.length]).toEqual([1_099, 119, 409]);
  expect(sends[1]).toEqual({ id: 's101', name: 'before' });
  await serve(place.sandbox, '2026-11-21T15:00:00Z');
  await setFaults(place.sandbox);
  await place.one.syncAll({ now: '2026-11-21T15:00:00Z' });
  expect(await place.rows()).toEqual(place.calm);
});

test('a list that gives the same page for ever is an error, and no end of it', async () => {
  await using place = await aPlace();
  await setFaults(place.sandbox, { kind: 'repeat_page', count: 0 });
  await expect(place.one.sync('templates')).rejects.toMatchObject({ code: 'NS_ANSWER_NOT_UNDERSTOOD' });
});

/** What `doctor` judges without rows: clocks, disks, zones, and what providers retire. */
import { matchesGlob } from 'node:path';
import { expect, test } from 'vitest';
import { providers, streams } from '#connectors/providers.ts';
import { retiring } from '../../bin/cli/doctor/retirements.ts';
import { judgeClock, judgeDisk } from '../../bin/cli/doctor/server.ts';
import { judgeOffsets } from '../../bin/cli/doctor/zones.ts';
import { freshDb } from '../support/db/db.ts';
import { aShop } from '../support/rows/factory.ts';

test('clocks, disks and zones are judged by how far they are off', () => {
  expect(judgeClock(1_500, 10).severity).toBe('ok');
  expect(judgeClock(4_000, 3_000).severity).toBe('ok'); // the answer took that long
  expect(judgeClock(-4_000, 10)).toMatchObject({
    severity: 'warning',
    evidence: expect.stringContaining('behind'),
  });
  expect(judgeClock(60_000, 10)).toMatchObject({
    severity: 'failure',
    evidence: expect.stringContaining('ahead'),
  });
  const gib = 1024 ** 3;
  expect(judgeDisk({ free: 50 * gib, total: 100 * gib }, '').severity).toBe('ok');
  expect(judgeDisk({ free: 5 * gib, total: 100 * gib }, '').severity).toBe('warning');
  expect(judgeDisk({ free: gib / 2, total: gib }, '').severity).toBe('failure');
  const at = new Date('2026-07-01T00:00:00Z');
  const of = (zone: string, minutes: number) => judgeOffsets([{ zone, at, minutes }]);
  expect(of('Europe/London', 60)).toEqual([]);
  expect(of('Asia/Kathmandu', 345)).toEqual([]);
  expect(of('Europe/London', 0)).toMatchObject([
    { severity: 'failure', evidence: expect.stringContaining('this runtime 60') },
  ]);
  expect(of('Mars/Base', 0)).toMatchObject([{ evidence: expect.stringContaining('does not know') }]);
});

test('a retirement is told of 60 days ahead and once it is past, of providers that somebody reads', async () => {
  await using db = await freshDb();
  await aShop(db);
  const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const row = (days: number) => ({ on: day(days), what: `field ${days}`, instead: 'another', source: '' });
  const other = { ...row(30), isRedefined: true as const };
  const field = { stream: 'shopify.orders', name: 'x' };
  const table = [{ ...row(-2), field }, ...[-1, 1, 10].map(row), other, ...[59, 70].map(row)];
  const given = providers.map((provider) => ({ ...provider, retirements: table }));
  expect(await retiring(db, given)).toEqual(
    [
      ['failure', `Shopify has taken away field -1, since ${day(-1)}.`],
      ['warning', `Shopify takes away field 1 on ${day(1)}, in 1 day.`],
      ['warning', `Shopify takes away field 10 on ${day(10)}, in 10 days.`],
      ['warning', `Shopify gives another meaning to field 30 on ${day(30)}, in 30 days.`],
      ['warning', `Shopify takes away field 59 on ${day(59)}, in 59 days.`],
    ].map(([severity, evidence]) => ({ severity, evidence, mend: 'another' })),
  );
});

test('no field that a provider has taken away is mapped', () => {
  const today = new Date().toISOString().slice(0, 10);
  const fields = providers
    .flatMap(({ retirements }) => retirements)
    .flatMap(({ on, field, isRedefined }) => (field && on <= today && !isRedefined ? field : []));
  expect(fields.length).toBeGreaterThan(5);
  expect(fields.filter(isMapped)).toEqual([]);
  for (const { stream } of fields) expect(streams.map(({ name }) => name)).toContain(stream);
  expect(isMapped({ stream: 'stripe.subscriptions', name: 'status' })).toBe(true);
  expect(isMapped({ stream: 'ayrshare.post_metrics', name: 'facebook.media*' })).toBe(true);
});

/** Whether a column of the stream's own table is read from the field. */
function isMapped({ stream, name }: { stream: string; name: string }): boolean {
  const [own] = streams.find((one) => one.name === stream)?.tables ?? [];
  const fields = own !== undefined && 'fields' in own && own.fields instanceof Set ? [...own.fields] : [];
  return fields.some((field) => matchesGlob(field, name));
}

// What only some installations use cannot be told from here, and would warn the others for ever.
test('each retirement is of a field that we read or of the version that we pin, on a day that exists', () => {
  for (const { field, what } of providers.flatMap(({ retirements }) => retirements))
    expect(field ?? what).toEqual(field ?? expect.stringMatching(/^API version /));
  for (const { on } of providers.flatMap(({ retirements }) => retirements))
    expect(new Date(on).toISOString().slice(0, 10)).toBe(on);
});

/** The layouts of the ECB's files, real and broken ones. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { deflateRawSync, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Published } from '#connectors/ecb/published.ts';
import { readRates } from '#connectors/ecb/read_rates.ts';
import { zip } from '../../sandbox/ecb/zip.ts';
import { assertHolds } from '../support/property.ts';
import { DAILY_GZ, HISTORY_GZ, historyCells, RECENT_GZ, readGz } from '../support/providers/fx.ts';

const read = (text: string | Buffer, source = 'rates') =>
  readRates(Buffer.from(text), { source, today: '2026-11-20' });

/** 'day currency rate' of every rate. Numbers, because the files differ in zeros at the ends. */
function listed({ days }: Published): string[] {
  return days.flatMap(({ day, rates }) =>
    [...rates]
      .filter(([, rate]) => rate !== null)
      .map(([currency, rate]) => `${day} ${currency} ${Number(rate)}`),
  );
}

const ENVELOPE =
  '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">';
const xml = (cubes: string, envelope = ENVELOPE) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${envelope}\n<Cube>\n${cubes}\n</Cube></gesmes:Envelope>`;
const refusal = (text: string | Buffer) =>
  read(text, 'f').then(
    () => 'read',
    (error: { code: string; message: string; context: object }) => {
      expect(error.code).toBe('NS_FX_NOT_UNDERSTOOD');
      return error.message
        .replace('The exchange rates cannot be read: ', '')
        .replace(' Nothing of it was stored.', '');
    },
  );

test('the real history has every cell of the file, and knows what it says is not there', async () => {
  const history = await readGz(HISTORY_GZ);
  const cells = historyCells();
  expect(history.layout).toBe('history CSV');
  expect(history.days.length).toBe(6983);
  expect(listed(history).length).toBe(217_555);
  for (const { day, rates } of history.days) {
    const given = [...rates].filter(([, rate]) => rate !== null);
    expect(new Map(given)).toEqual(cells.get(day));
  }
  const last = history.days.at(-1);
  expect(last).toMatchObject({ day: '2026-04-13', isWhole: false, doubts: [] });
  expect([last?.rates.get('USD'), last?.rates.get('BGN')]).toEqual(['1.1684', null]);
});

test.each([
  [DAILY_GZ, 1, '2018-06-29', '2018-06-29'],
  [RECENT_GZ, 61, '2024-11-28', '2025-02-25'],
])('the real file %s says what the history says', async (file, days, from, to) => {
  const published = await readGz(file);
  const cells = historyCells();
  expect(published).toMatchObject({ layout: 'XML' });
  expect(published.days.length).toBe(days);
  expect([published.days[0]?.day, published.days.at(-1)?.day]).toEqual([from, to]);
  const fromHistory = published.days.flatMap(({ day }) =>
    [...(cells.get(day) ?? [])].map(([currency, rate]) => `${day} ${currency} ${Number(rate)}`),
  );
  expect(listed(published).sort()).toEqual(fromHistory.sort());
  expect(published.days.every(({ isWhole, doubts }) => isWhole && doubts.length === 0)).toBe(true);
});

test('a decimal keeps its digits as they are written', async () => {
  const { days } = await readGz(DAILY_GZ);
  expect(days[0]?.rates.get('CZK')).toBe('26.020');
});

const PYTHON = `
import sys, xml.etree.ElementTree as e
n = '{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube'
for d in e.fromstring(sys.stdin.buffer.read()).iter(n):
    for c in (d if d.get('time') else []): print(d.get('time'), c.get('currency'), c.get('rate'))`;
const hasPython = spawnSync('python3', ['--version']).status === 0;

test.skipIf(!hasPython)('another language reads the same out of the XML', async () => {
  for (const file of [DAILY_GZ, RECENT_GZ]) {
    const input = gunzipSync(readFileSync(file));
    const theirs = spawnSync('python3', ['-c', PYTHON], { input }).stdout.toString().trim().split('\n');
    const { days } = await readGz(file);
    const ours = days.flatMap(({ day, rates }) =>
      [...rates].map(([currency, rate]) => `${day} ${currency} ${rate}`),
    );
    expect(ours.sort()).toEqual(theirs.sort());
  }
});

test('the one-day CSV has blanks after its commas and a day in words', async () => {
  const published = await read('Date, USD, JPY, BGN, \n13 April 2026, 1.1684, 186.75, N/A, \n');
  expect(published.layout).toBe('daily CSV');
  expect(published.days).toMatchObject([{ day: '2026-04-13', isWhole: false, doubts: [] }]);
  expect([...(published.days[0]?.rates ?? [])]).toEqual([
    ['USD', '1.1684'],
    ['JPY', '186.75'],
    ['BGN', null],
  ]);
});

test('quotes, line ends, a byte order mark and packing make no difference', async () => {
  const csv = 'Date,USD,JPY,\n2026-04-13,1.1684,186.75,\n';
  const day = (quote: string) =>
    xml(
      `<Cube time=${quote}2026-04-13${quote}><Cube currency=${quote}USD${quote} rate=${quote}1.1684${quote}/></Cube>`,
    );
  const expected = ['2026-04-13 USD 1.1684', '2026-04-13 JPY 186.75'];
  expect(listed(await read(csv))).toEqual(expected);
  expect(listed(await read(csv.replaceAll('\n', '\r\n')))).toEqual(expected);
  expect(listed(await read(csv.replaceAll(',\n', '\n')))).toEqual(expected);
  expect(listed(await read(`\uFEFF${csv}`))).toEqual(expected);
  expect(listed(await read(gzipSync(csv)))).toEqual(expected);
  expect(listed(await read(zip('eurofxref-hist.csv', Buffer.from(csv), new Date())))).toEqual(expected);
  expect(listed(await read(day("'")))).toEqual(['2026-04-13 USD 1.1684']);
  expect(listed(await read(`\uFEFF${day('"').replaceAll('\n', '')}`))).toEqual(['2026-04-13 USD 1.1684']);
});

test.each([
  ['Date,USD,\n2026-04-13,1,1684,\n', 'f, line 2, column 1: 2 rates where the header names 1 currencies'],
  [
    'Date,USD,\n2026-04-13,1.1684\n2026-04-14,abc,\n',
    'f, line 3, column 12: the rate of USD, "abc", is not a decimal',
  ],
  ['Date, USD, \n31 April 2026, 1.2, \n', 'f, line 2, column 1: "2026-04-31" is not a day'],
  ['Date,USD,\n13/04/2026,1.1684,\n', 'f, line 2, column 1: "13/04/2026" is not a day'],
  ['Date,USD,\n2026-04-13,0.000,\n', 'f, line 2, column 12: the rate of USD, "0.000", is zero'],
  ['Date,USD,\n2026-04-13,-1,\n', 'f, line 2, column 12: the rate of USD, "-1", is not a decimal'],
  ['Date,USD,\n2026-04-13,1e3,\n', 'f, line 2, column 12: the rate of USD, "1e3", is not a decimal'],
  ['Date,USD,\n2026-04-13,1,\n2026-04-13,2,\n', 'f, line 3, column 1: 2026-04-13 is there twice'],
  ['Date,USD,USD,\n2026-04-13,1,1,\n', 'f, line 1, column 10: the header names "USD" twice'],
  ['Date,Dollar,\n2026-04-13,1,\n', 'f, line 2, column 12: "Dollar" is not a currency code'],
  ['Date,EUR,\n2026-04-13,1,\n', 'f, line 2, column 12: the euro has no rate'],
  ['Date,USD,\n2027-01-04,1,\n', 'f, line 2, column 1: 2027-01-04 is in the future'],
  ['Date;USD;\n2026-04-13;1,1684;\n', 'f, line 1, column 1: it does not begin with a header'],
  ['Date,USD,\n', 'f: there is no day with rates in it'],
  ['{"rates":{}}', 'f, line 1, column 1: it does not begin with a header'],
  ['', 'f: it is empty'],
])('the table %j is refused whole, with the place', async (text, message) => {
  expect(await refusal(text)).toContain(message);
});

test('nothing is told of what stands in a file that is none of rates', async () => {
  for (const text of [
    'root:x:0:0:secret\n',
    '{"password":"secret"}',
    '<secret>secret</secret>',
    '-----secret',
  ])
    expect(await refusal(text)).not.toContain('secret');
});

test.each([
  [
    xml("<Cube time='2026-04-13'><Cube currency='USD' rate='1,1684'/></Cube>"),
    'f, line 4, column 25: the rate of USD, "1,1684", has a decimal comma',
  ],
  [xml("<Cube time='2026-04-13'><Cube currency='USD'/></Cube>"), 'f, line 4, column 25: no rate beside USD'],
  [xml("<Cube currency='USD' rate='1'/>"), 'f, line 4, column 1: the rate of USD belongs to no day'],
  [xml("<Cube time='2026-02-30'/>"), 'f, line 4, column 1: "2026-02-30" is not a day'],
  [xml("<Cube time='2026-04-13'>"), 'f, line 5, column'],
  [xml('<Cube time=2026-04-13/>'), 'Unquoted attribute value'],
  [
    xml(
      "<Cube time='2026-04-13'/>",
      ENVELOPE.replace('xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"', ''),
    ),
    'f: there is no day',
  ],
  [`<!DOCTYPE x [<!ENTITY a "1">]>${xml('')}`, 'it has a DOCTYPE'],
  [xml('&a;'), 'Invalid character entity'],
  ['<html><body>Not found</body></html>', 'f: there is no day with rates in it'],
  [ENVELOPE, 'Unclosed root tag'],
])('the XML %j is refused whole', async (text, message) => {
  expect(await refusal(text)).toContain(message);
});

test('what cannot be unpacked, or is not text, is refused and named', async () => {
  const packed = zip('eurofxref-hist.csv', Buffer.from('Date,USD,\n2026-04-13,1,\n'), new Date());
  const flipped = Buffer.from(packed);
  flipped[50] = (flipped[50] ?? 0) ^ 0xff; // within the packed bytes
  expect(await refusal(flipped)).toContain('f: it cannot be unpacked');
  expect(await refusal(packed.subarray(0, packed.length - 10))).toContain('f: it cannot be unpacked');
  expect(await refusal(gzipSync('Date,').subarray(0, 12))).toContain('f: it cannot be unpacked');
  expect(await refusal(deflateRawSync('Date,'))).toMatch(/not text in UTF-8|a header/);
  expect(await refusal(Buffer.from('Date,USD\n', 'utf16le'))).toMatch(/begin with a header/);
  expect(await refusal(gzipSync('Date,USD,\n2026-04-13,x,\n'))).toContain('f, line 2, column 12');
});

test('a day on which the ECB is closed is a doubt and no fault', async () => {
  const { days } = await read('Date,USD,GBP,\n2026-04-12,1.1,0.9,\n2026-04-13,1.1,0.9,\n');
  expect(days.map(({ doubts }) => doubts)).toEqual([['closed_day'], []]);
});

test('an XML day that is hardly whole does not say that the other currencies are gone', async () => {
  const cubes = "<Cube time='2026-04-13'><Cube currency='USD' rate='1.1'/></Cube>";
  expect((await read(xml(cubes))).days).toMatchObject([{ isWhole: false }]);
});

// Whatever is done to a file of the ECB: it is read with the values that it has, or refused by our error.
test('a damaged file never gives another error, nor a rate that it does not hold', async () => {
  const whole = gunzipSync(readFileSync(DAILY_GZ)).toString('utf8');
  const edit = fc.record({ at: fc.nat(whole.length), cut: fc.nat(30), put: fc.string({ maxLength: 5 }) });
  await assertHolds(
    fc.asyncProperty(edit, async ({ at, cut, put }) => {
      const damaged = whole.slice(0, at) + put + whole.slice(at + cut);
      const result = await read(damaged).catch((error: { code: string }) => error.code);
      if (typeof result === 'string') expect(result).toBe('NS_FX_NOT_UNDERSTOOD');
      for (const { rates } of typeof result === 'string' ? [] : result.days)
        for (const rate of rates.values()) expect(damaged).toContain(rate);
    }),
    300,
  );
});

import { Temporal } from '@js-temporal/polyfill';
import { describe, expect, test } from 'vitest';
import { slotsOf } from '#sql/schedules/expression.ts';
import { inForm, runs } from '../support/property.ts';
import { referenceSlots } from '../support/schedules/reference.ts';

const next = (text: string, zone: string, from: string, count: number) => {
  const slots = slotsOf(text, zone);
  return slots.between(new Date(from), new Date('2100-01-01T00:00:00Z'), count).map((at) => at.toISOString());
};

describe('where the clock changes', () => {
  test('a fixed time in the gap fires at its end, once', () => {
    expect(next('30 2 * * *', 'America/New_York', '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T07:00:00.000Z',
      '2026-03-09T06:30:00.000Z',
    ]);
    expect(next('*/15 2 * * *', 'America/New_York', '2026-03-08T00:00:00Z', 2)).toEqual([
      '2026-03-08T07:00:00.000Z', // 02:00, 02:15, 02:30 and 02:45 are all this instant
      '2026-03-09T06:00:00.000Z',
    ]);
    expect(next('0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00:00Z', 2)).toEqual([
      '2026-04-23T22:00:00.000Z', // midnight is in the gap
      '2026-04-24T21:00:00.000Z',
    ]);
  });

  test('a gap that ends with the day takes its slots to the next one', () => {
    expect(next('59 23 * * *', 'America/Nuuk', '2024-03-30T12:00:00Z', 2)).toEqual([
      '2024-03-31T01:00:00.000Z', // 23:00 to midnight are none
      '2024-04-01T00:59:00.000Z',
    ]);
  });

  test('a fixed time that comes twice fires the first time only', () => {
    expect(next('30 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z', 2)).toEqual([
      '2026-11-01T05:30:00.000Z',
      '2026-11-02T06:30:00.000Z',
    ]);
    expect(next('30 2 * * *', 'America/New_York', '2026-10-31T12:00:00Z', 2)).toEqual([
      '2026-11-01T07:30:00.000Z',
      '2026-11-02T07:30:00.000Z',
    ]);
  });

  test('with * or a step in the hours each real hour is one', () => {
    expect(next('0 * * * *', 'America/New_York', '2026-11-01T04:30:00Z', 4)).toEqual([
      '2026-11-01T05:00:00.000Z', // 01:00
      '2026-11-01T06:00:00.000Z', // 01:00 again
      '2026-11-01T07:00:00.000Z',
      '2026-11-01T08:00:00.000Z',
    ]);
    expect(next('0 */2 * * *', 'America/New_York', '2026-03-08T04:30:00Z', 2)).toEqual([
      '2026-03-08T05:00:00.000Z', // 00:00; there is no 02:00
      '2026-03-08T08:00:00.000Z', // 04:00
    ]);
  });
});

test('day of month and day of week combine by and', () => {
  expect(next('0 3 1 * 1', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
    '2026-06-01T03:00:00.000Z',
    '2027-02-01T03:00:00.000Z',
  ]);
});

test.each([
  ['', 'it has 1 of 5 fields'],
  ['* * * *', 'it has 4 of 5 fields'],
  ['0 0 0 * * *', 'it has 6 of 5 fields'],
  ['61 * * * *', '61 does not fit the field minute'],
  ['0 25 * * *', '25 does not fit the field hour'],
  ['0 0 L * *', 'L, W and # are not supported'],
  ['@daily', 'it has 1 of 5 fields'],
  ['0 0 30 2 *', '30 does not fit the field dayOfMonth'],
  ['x y z a b', 'x does not fit the field minute'],
  [`${'1,'.repeat(200)}1 * * * *`, 'it has over 200 characters'],
])('%j is refused', (text, why) => {
  expect(() => slotsOf(text, 'UTC')).toThrow(why);
});

const ZONES = [
  ...[
    'UTC',
    'Europe/London',
    'Europe/Berlin',
    'Europe/Dublin',
    'Europe/Lisbon',
    'Europe/Athens',
    'Europe/Moscow',
  ],
  ...[
    'Europe/Istanbul',
    'Europe/Chisinau',
    'Africa/Cairo',
    'Africa/Casablanca',
    'Africa/Lagos',
    'Africa/Johannesburg',
  ],
  ...[
    'Asia/Jerusalem',
    'Asia/Beirut',
    'Asia/Gaza',
    'Asia/Tehran',
    'Asia/Kolkata',
    'Asia/Kathmandu',
    'Asia/Tokyo',
  ],
  ...[
    'Asia/Shanghai',
    'Asia/Dubai',
    'Australia/Sydney',
    'Australia/Lord_Howe',
    'Australia/Adelaide',
    'Australia/Perth',
  ],
  ...[
    'Pacific/Auckland',
    'Pacific/Chatham',
    'Pacific/Apia',
    'Pacific/Kiritimati',
    'Pacific/Easter',
    'Antarctica/Troll',
  ],
  ...['America/New_York', 'America/Los_Angeles', 'America/St_Johns', 'America/Santiago', 'America/Asuncion'],
  ...['America/Havana', 'America/Sao_Paulo', 'America/Nuuk'],
];

const EXPRESSIONS = [
  ...[
    '0 2 * * *',
    '30 2 * * *',
    '30 1 * * *',
    '0 0 * * *',
    '59 23 * * *',
    '0 3 * * *',
    '15 0 * * *',
    '45 1 * * *',
  ],
  ...[
    '0 4 * * 0',
    '0 5 * * *',
    '0 6 1 * *',
    '0 16 * * 1-5',
    '5 2 29 2 *',
    '0 2 31 * *',
    '30 2 * 3 *',
    '30 2 * 10,11 *',
  ],
  ...[
    '0 2,14 * * *',
    '0,30 2 * * *',
    '*/15 2 * * *',
    '* 1 * * *',
    '* 2 * * *',
    '0 1-4 * * *',
    '30 0-5 * * *',
  ],
  ...[
    '0 22-2 * * *',
    '0 0 1 1 *',
    '0 12 * * MON',
    '0 12 * * SUN',
    '0 12 * * 7',
    '0 2 1-7 * 1',
    '0 2 8-14 * SUN',
  ],
  ...[
    '20 2 * MAR SUN',
    '20 1 * NOV SUN',
    '10 2 13 * 5',
    '0 0-23 * * *',
    '7 0 * * SAT-MON',
    '0 2 */2 * *',
    '0 2 * */3 *',
  ],
  ...[
    '0 * * * *',
    '17 * * * *',
    '*/5 * * * *',
    '*/30 * * * *',
    '* * * * *',
    '0 */2 * * *',
    '0 */3 * * *',
    '30 */6 * * *',
  ],
  ...[
    '15 */12 * * *',
    '0 1-23/2 * * *',
    '30 0-12/3 * * *',
    '0 * * * 0',
    '45 * 1 * *',
    '0 */4 * * 1-5',
    '5,35 * * * *',
  ],
  ...[
    '0 */5 * 3,10 *',
    '10 * 28-31 * *',
    '0 * * 4 *',
    '30 */2 * * SAT',
    '0 */8 1 * *',
    '1-59/2 */7 * * *',
    '0 */24 * * *',
  ],
  '30 1-2/1 * * *',
];

// Ten years of each pair would take an hour: the short form looks around some changes of the clock.
test('slots are those that another library gives, in 40 zones', () => {
  expect([ZONES.length, EXPRESSIONS.length]).toEqual([40, 60]);
  const { seed } = runs(1);
  let draw = seed;
  const pick = (max: number) => {
    draw = (Math.imul(draw, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return draw % max;
  };
  let compared = 0;
  for (const zone of ZONES) {
    const around = changesOf(zone);
    for (const text of inForm(
      Array.from({ length: 1 }, () => EXPRESSIONS[pick(60)] ?? ''),
      EXPRESSIONS,
    )) {
      for (const change of inForm([around[pick(around.length)] ?? ''], around)) {
        const from = Temporal.Instant.from(change).subtract({ hours: 12 + pick(24) });
        const to = from.add({ hours: 48 });
        const found = slotsOf(text, zone)
          .between(new Date(from.epochMilliseconds), new Date(to.epochMilliseconds), 10_000)
          .map((at) => at.toISOString());
        expect(found, `${text} ${zone} ${from}`).toEqual(referenceSlots(text, zone, from, to));
        compared += found.length;
      }
    }
  }
  expect(compared).toBeGreaterThan(50);
});

/** Changes of the clock from 2020 to 2030, and days without one. */
function changesOf(zone: string): string[] {
  const found = ['2024-02-29T00:00:00Z', '2026-12-31T23:30:00Z'];
  const end = Temporal.Instant.from('2030-01-01T00:00:00Z');
  let at = Temporal.Instant.from('2020-01-01T00:00:00Z').toZonedDateTimeISO(zone);
  for (;;) {
    const following = at.getTimeZoneTransition('next');
    if (following === null || Temporal.Instant.compare(following.toInstant(), end) > 0) return found;
    found.push(following.toInstant().toString());
    at = following;
  }
}

/** Descriptors say what their statements do, and the order that follows from them. */
import { expect, test } from 'vitest';
import { streams } from '#connectors/providers.ts';
import { defineRollup } from '#sql/rollups/define.ts';
import { givenRollups, rollups } from '#sql/rollups/index.ts';
import { handsOnObjects } from '#sql/rollups/merge.ts';
import { inOrder, type Rollup } from '#sql/rollups/rollup.ts';
import { freshDb } from '../support/db/db.ts';

function named(name: string, after: string[] = []): Rollup {
  const reads = after.map((read) => `agg.${read}` as const);
  const texts = { fresh: '', sql: '' };
  const writes = `agg.${name}` as const;
  return { name, reads, writes, grain: [], measures: [], changesWith: [], ...texts };
}

const order = (given: Rollup[]) => inOrder(given).map(({ name }) => name);

test('each rollup comes after those it depends on, otherwise as given', () => {
  expect(order([named('c', ['b', 'a']), named('b', ['a']), named('d'), named('a')])).toEqual([
    'd',
    'a',
    'b',
    'c',
  ]);
});

test('rollups that wait for one another, or for one that is not there, are refused at start', () => {
  const refused = expect.objectContaining({ code: 'NS_ROLLUP_ORDER', verdict: 'give_up' });
  expect(() => inOrder([named('a', ['b']), named('b', ['a'])])).toThrow(refused);
  expect(() => inOrder([named('a', ['a'])])).toThrow(refused);
  expect(() => inOrder([named('a', ['gone'])])).toThrow(refused);
});

test('a rollup without its statement does not start', () => {
  expect(() => defineRollup(import.meta.url, named('not_there'))).toThrow('not_there.sql');
});

const all = [...rollups, ...givenRollups];

test.each(all.map((rollup) => [rollup.name, rollup] as const))(
  '%s reads and writes what it says',
  (_, rollup) => {
    // A proof reads what the figures must equal, and is made of none of it.
    const made = rollup.sql.replace(rollup.proof ?? '', '');
    const code = `${made} ${rollup.objectsSql ?? ''} ${rollup.daysSql ?? ''}`.replaceAll(/--.*$/gm, '');
    const mentioned = new Set(code.match(/\b(fact|raw|agg)\.\w+/g));
    for (const helper of [
      'day_start',
      'exchange_rate',
      'round_to_currency',
      'engagement',
      'engagement_rate',
      'distance_km',
      'first_day_from',
    ])
      mentioned.delete(`fact.${helper}`);
    expect([...mentioned].sort()).toEqual([...rollup.reads, rollup.writes].sort());
    const written = new Set(code.match(/(?<=insert into |delete from |update )[a-z_]+\.\w+/g));
    expect(written.has('ops.marks')).toBe(rollup.names !== undefined);
    expect(written.has('ops.figure_checks')).toBe(rollup.proof !== undefined);
    expect([...written].filter((table) => !table.startsWith('ops.'))).toEqual([rollup.writes]);
  },
);

test('a grain is the primary key of its table, its measures are the rest, and every table of agg has one rollup', async () => {
  await using db = await freshDb();
  const keys = await db.rows(`
    select c.conrelid::regclass::text as writes,
      array(select a.attname::text from unnest(c.conkey) with ordinality k (attnum, place)
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum order by place) as grain,
      array(select a.attname::text from pg_attribute a
            where a.attrelid = c.conrelid and a.attnum > 0 and a.attnum <> all (c.conkey) order by 1) as others
    from pg_constraint c join pg_class t on t.oid = c.conrelid
    where c.contype = 'p' and t.relnamespace = 'agg'::regnamespace order by 1`);
  const said = all.map(({ writes, grain, measures }) => ({
    writes,
    grain,
    others: [...measures, 'computed_at'].sort(),
  }));
  expect(said.sort((a, b) => (a.writes < b.writes ? -1 : 1))).toEqual(keys);
});

test('a rollup follows the changes of those whose tables it reads, and these hand them on', () => {
  const handedOn = rollups.filter(({ handsOn }) => handsOn).map(({ name }) => name);
  const followed = rollups.flatMap(({ reads, changesWith }) => {
    const read = rollups.filter(({ writes }) => reads.includes(writes));
    for (const { name, names = [] } of read)
      expect([name, ...names.map(({ as }) => as)].some((subject) => changesWith.includes(subject))).toBe(
        true,
      );
    return read.map(({ name }) => name);
  });
  expect(handedOn.toSorted()).toEqual([...new Set(followed)].sort());
});

test('whatever is marked, some rollup of such partitions follows, and none follows what nobody marks', () => {
  const ofStreams = streams.flatMap(({ tables, dependents = [] }) => [
    ...tables.flatMap(({ columns, marks = {} }) =>
      Object.entries(marks).map(([column, subject]) =>
        columns[column] === 'text' ? `object of ${subject}` : `day of ${subject}`,
      ),
    ),
    ...dependents.map(({ subject, names = 'day' }) => `${names} of ${subject}`),
  ]);
  const ofRollups = rollups.flatMap((rollup) =>
    rollup.handsOn ? [`${handsOnObjects(rollup) ? 'object' : 'day'} of ${rollup.name}`] : [],
  );
  const named = rollups.flatMap(({ names = [] }) => names.map(({ as }) => `object of ${as}`));
  const ofOperators = [
    'object of credits',
    'object of links',
    'day of campaigns',
    'day of rankings',
    'day of fx',
    'day of calendar',
  ];
  const ofSenders = ['day of events', 'day of exposures'];
  const marked = new Set([...ofStreams, ...ofRollups, ...named, ...ofOperators, ...ofSenders]);
  const followed = rollups.flatMap(({ changesWith, object, followsDays }) =>
    changesWith.map(
      (subject) => `${object && !followsDays?.includes(subject) ? 'object' : 'day'} of ${subject}`,
    ),
  );
  expect(new Set(followed)).toEqual(marked);
});

test('a rollup that carries states on reads them and follows the calendar', () => {
  const carrying = rollups.filter(({ carries }) => carries);
  expect(carrying.length).toBeGreaterThan(0);
  for (const { carries, reads, changesWith } of carrying) {
    expect(reads).toContain(carries?.states);
    expect(changesWith).toContain('calendar');
  }
});

test('a rollup that keeps rates follows them', () => {
  const keeping = rollups.filter(({ keepsRates }) => keepsRates);
  expect(keeping.length).toBeGreaterThan(0);
  for (const { changesWith } of keeping) expect(changesWith).toContain('fx');
});

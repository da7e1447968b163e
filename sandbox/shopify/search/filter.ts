import type { Plain } from '../../plain.ts';
import { dayBounds } from '../../zone.ts';
import { type Comparator, parseSearch, type Search, type Term } from './search.ts';
import { type SearchField, searchFields } from './search_fields.ts';

export type SearchWarning = { field: string; message: string; code: string };
export type Filter = { matches: (row: Plain) => boolean; warnings: SearchWarning[] };

type Test = (row: Plain) => boolean;
type Span = { from: number; to: number };
const everything: Test = () => true;

/** Turns a `query` argument into a test of rows. What Shopify ignores with a warning is ignored here too. */
export function makeFilter(connection: string, query: string | undefined, zone: string): Filter {
  const warnings: SearchWarning[] = [];
  const search = query ? parseSearch(query) : undefined;
  const fields = searchFields[connection] ?? {};
  return { matches: search ? testOf(search) : everything, warnings };

  function testOf(part: Search): Test {
    if (part.kind === 'term') return termTest(part);
    if (part.kind === 'not') {
      const inner = testOf(part.part);
      // An ignored term stays ignored when it is negated.
      return inner === everything ? everything : (row) => !inner(row);
    }
    const tests = part.parts.map(testOf);
    return part.kind === 'and'
      ? (row) => tests.every((test) => test(row))
      : (row) => tests.some((test) => test(row));
  }

  function termTest(term: Term): Test {
    if (!term.field) return wordTest(term.value, fields);
    const field = fields[term.field];
    if (!field) return ignore(term, 'Invalid search field for this query.', 'invalid_field');
    if (field.kind !== 'time') return valueTest(field, term);
    const span = spanOf(term, zone);
    if (!span) return ignore(term, `Input \`${term.value}\` is not an accepted value.`, 'invalid_value');
    return (row) => field.values(row).some((value) => timeFits(value, term.comparator, span));
  }

  function ignore({ field }: Term, message: string, code: string): Test {
    warnings.push({ field, message, code });
    return everything;
  }
}

/**
 * The time that a value names: an instant when it is quoted, a whole day of the shop's zone when it
 * is a date alone or not quoted (Shopify then drops the time part).
 */
function spanOf({ value, quoted }: Term, zone: string): Span | undefined {
  const [low, high] = value.split('..');
  if (low && high) {
    const [first, last] = [low, high].map((bound) => spanOf({ ...RANGE_BOUND, value: bound, quoted }, zone));
    return first && last && { from: first.from, to: last.to };
  }
  if (!/^\d{4}-\d{2}-\d{2}/.test(value)) return undefined;
  if (!quoted || value.length === 10) {
    const { start, end } = dayBounds(value.slice(0, 10), zone);
    return { from: start, to: end - 1 };
  }
  const instant = Date.parse(value.replace(' ', 'T'));
  return Number.isNaN(instant) ? undefined : { from: instant, to: instant };
}

const RANGE_BOUND: Term = { kind: 'term', field: '', comparator: ':', value: '', quoted: false };

function timeFits(value: unknown, comparator: Comparator, { from, to }: Span): boolean {
  if (typeof value !== 'string') return false;
  const instant = Date.parse(value);
  if (comparator === '>=') return instant >= from;
  if (comparator === '>') return instant > to;
  if (comparator === '<=') return instant <= to;
  if (comparator === '<') return instant < from;
  return instant >= from && instant <= to;
}

function valueTest(field: SearchField, { comparator, value }: Term): Test {
  const wanted = value.split(',').map((one) => one.trim().toLowerCase());
  if (field.kind === 'number') {
    return (row) =>
      field.values(row).some((have) => wanted.some((want) => numberFits(have, comparator, want)));
  }
  if (value === '*') return (row) => field.values(row).some((have) => have !== null && have !== undefined);
  return (row) => field.values(row).some((have) => wanted.some((want) => textFits(have, want)));
}

function numberFits(have: unknown, comparator: Comparator, want: string): boolean {
  if (have === undefined || have === null || !/^\d+$/.test(String(have)) || !/^\d+$/.test(want)) return false;
  const [left, right] = [BigInt(String(have)), BigInt(want)];
  if (comparator === '>=') return left >= right;
  if (comparator === '>') return left > right;
  if (comparator === '<=') return left <= right;
  if (comparator === '<') return left < right;
  return left === right;
}

function textFits(have: unknown, want: string): boolean {
  if (have === undefined || have === null) return false;
  const text = String(have).toLowerCase();
  return want.endsWith('*') ? text.startsWith(want.slice(0, -1)) : text === want;
}

/** A word without a field searches names and titles. */
function wordTest(word: string, fields: Readonly<Record<string, SearchField>>): Test {
  const want = word.replace(/\*$/, '').toLowerCase();
  const searched = ['name', 'title', 'sku', 'email'].flatMap((name) => fields[name] ?? []);
  return (row) =>
    searched.some((field) =>
      field.values(row).some((have) =>
        String(have ?? '')
          .toLowerCase()
          .includes(want),
      ),
    );
}

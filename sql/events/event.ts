/**
 * An event as its sender writes it, and the one door where it is checked: which kinds there are, what each of them needs,
 * and how long everything may be. Files have millions of them, so a field is checked by one function and by no schema: zod
 * takes five times as long.
 */
import { isCurrency } from '#runtime/currencies.ts';
import { quote, scrub, scrubbed, VALUE_CHARS_MAX } from '#runtime/scrub.ts';

const ID_CHARS_MAX = 200;
const NAME_CHARS_MAX = 100;
const THING_CHARS_MAX = 200;
const PERSON_CHARS_MAX = 320;
const PROPERTIES_CHARS_MAX = 4_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for, and classes of Unicode are slow
const CONTROLS = /[\0-\x1f\x7f-\x9f]/;
const STAGE = /^[a-z][a-z0-9_]{0,49}$/;
const COUNTRY = /^[A-Z]{2}$/;
const DECIMAL = /^\d{1,15}(\.\d{1,6})?$/;
const DEGREES = /^-?\d{1,3}(\.\d{1,15})?$/;
/** A clock of a sender may be ahead by so much. */
const AHEAD_MS = 86_400_000;

/** Why a value is refused. */
class Refusal {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

type Read = (given: unknown) => string | number | object | Refusal;

const NO_TEXT = new Refusal('is no text');
const CONTROLLED = new Refusal('has control characters');

/** One line of text without control characters. */
function text(charsMax: number): (given: unknown) => string | Refusal {
  const tooLong = new Refusal(`is empty, or longer than ${charsMax} characters`);
  return (given) => {
    if (typeof given !== 'string') return NO_TEXT;
    if (given.length === 0 || given.length > charsMax) return tooLong;
    return CONTROLS.test(given) || !given.isWellFormed() ? CONTROLLED : given;
  };
}

/** Most values come again and again, and patterns are slow. */
const harmless = new Set<string>();
const HARMLESS_MAX = 10_000;
const PERSONAL = new Refusal('looks like personal data or a key');

/** Stored and shown as it is: so nothing in it may name a person or be a key. */
function plain(charsMax: number): Read {
  const read = text(charsMax);
  return (given) => {
    if (harmless.has(given as string)) return given as string;
    const found = read(given);
    if (typeof found !== 'string') return found;
    if (scrub(found) !== found) return PERSONAL;
    if (found.length <= NAME_CHARS_MAX && harmless.size < HARMLESS_MAX) harmless.add(found);
    return found;
  };
}

function matching(fits: (given: string) => boolean, message: string): Read {
  const refusal = new Refusal(message);
  return (given) => (typeof given === 'string' && fits(given) ? given : refusal);
}

const NO_INSTANT = new Refusal('is not an instant with its offset, like 2026-03-29T12:00:00Z');
const INSTANT = /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:[0-5]\d)$/;
const MINUTE_MS = 60_000;
/** Neighbours are mostly of one day, and JavaScript's own parser takes as long as all other fields. */
let lastDay = '';
let lastDayMs = Number.NaN;

function readInstant(given: unknown): number | Refusal {
  if (typeof given !== 'string' || !INSTANT.test(given)) return NO_INSTANT;
  const day = given.slice(0, 10);
  if (day !== lastDay) {
    lastDay = day;
    const at = new Date(`${day}T00:00:00Z`);
    // JavaScript reads 30 February as 2 March.
    lastDayMs = Number.isNaN(at.getTime()) || !at.toISOString().startsWith(day) ? Number.NaN : at.getTime();
  }
  const zone = given.endsWith('Z') ? 1 : 6;
  const minutes = twoDigits(given, 11) * 60 + twoDigits(given, 14);
  const fraction = given.length - zone > 19 ? Math.trunc(Number(given.slice(19, -zone)) * 1000) : 0;
  const ms =
    lastDayMs + (minutes - offsetOf(given, zone)) * MINUTE_MS + twoDigits(given, 17) * 1000 + fraction;
  return Number.isNaN(ms) ? NO_INSTANT : ms;
}

function twoDigits(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48;
}

/** In minutes, of an instant that ends with Z or +01:00. */
function offsetOf(text: string, zone: number): number {
  if (zone === 1) return 0;
  const minutes = twoDigits(text, text.length - 5) * 60 + twoDigits(text, text.length - 2);
  return text.at(-zone) === '-' ? -minutes : minutes;
}

/** JSON has numbers for these, CSV has texts. */
const amount = matching((given) => DECIMAL.test(given), 'is not a decimal amount like "12.50"');

function degrees(max: number): Read {
  const refusal = new Refusal(`is not a number of degrees from -${max} to ${max}`);
  return (given) => {
    const number = typeof given === 'string' && DEGREES.test(given) ? Number(given) : given;
    return typeof number === 'number' && Math.abs(number) <= max ? number : refusal;
  };
}

function readProperties(given: unknown): object | Refusal {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return NO_PROPERTIES;
  return JSON.stringify(given).length > PROPERTIES_CHARS_MAX ? NO_PROPERTIES : (scrubbed(given) as object);
}
const NO_PROPERTIES = new Refusal(`is not an object of at most ${PROPERTIES_CHARS_MAX} characters`);

const id = text(ID_CHARS_MAX);
const WITH_ADDRESS = new Refusal('contains an e-mail address');

const fields = {
  // An erasure would have to rename one with an address, and then it would not be known again.
  id: (given) => (typeof given === 'string' && given.includes('@') ? WITH_ADDRESS : id(given)),
  happened_at: readInstant,
  retailer: text(NAME_CHARS_MAX),
  country: matching((given) => COUNTRY.test(given), 'is not a code like GB'),
  properties: readProperties,
  visitor: text(PERSON_CHARS_MAX),
  asset: plain(THING_CHARS_MAX),
  code: plain(THING_CHARS_MAX),
  experiment: plain(NAME_CHARS_MAX),
  variant: plain(NAME_CHARS_MAX),
  stage: matching(
    (given) => STAGE.test(given) && given !== 'page_view' && given !== 'cart_add',
    'is not a name like checkout (a-z, 0-9 and _, at most 50), or is a kind of its own',
  ),
  amount: (given) => amount(typeof given === 'number' ? String(given) : given),
  currency: matching(isCurrency, 'is not an ISO 4217 code like GBP'),
  latitude: degrees(90),
  longitude: degrees(180),
} as const satisfies Record<string, Read>;

type Field = keyof typeof fields;

const ALWAYS = ['id', 'happened_at'] as const;
const ANY = ['retailer', 'country', 'properties'] as const;

/** What each kind needs, and what it may have besides. */
const kinds = {
  page_view: { needs: ['visitor'], may: ['asset'] },
  cart_add: { needs: ['visitor'], may: [] },
  conversion: { needs: ['visitor', 'stage'], may: ['amount', 'currency'] },
  exposure: { needs: ['visitor', 'experiment', 'variant'], may: [] },
  ab_conversion: { needs: ['visitor', 'experiment'], may: [] },
  scan: { needs: ['code'], may: ['visitor', 'latitude', 'longitude'] },
  download: { needs: ['asset'], may: ['visitor'] },
} as const satisfies Record<string, { needs: readonly Field[]; may: readonly Field[] }>;

type Kind = keyof typeof kinds;

const rules = new Map<unknown, { needs: readonly Field[]; allowed: ReadonlySet<string> }>(
  Object.entries(kinds).map(([kind, { needs, may }]) => {
    const all: readonly Field[] = [...ALWAYS, ...needs];
    return [kind, { needs: all, allowed: new Set<string>([...all, ...may, ...ANY, 'kind']) }];
  }),
);

/** Of a file with columns. */
export const COLUMNS: readonly string[] = ['kind', ...Object.keys(fields)];

/** With the fields of all kinds; those that a kind does not have are absent. */
export type Event = {
  kind: Kind;
  id: string;
  /** In milliseconds. */
  happened_at: number;
  latitude?: number;
  longitude?: number;
  properties?: Record<string, unknown>;
} & { [Text in Exclude<Field, 'id' | 'happened_at' | 'latitude' | 'longitude' | 'properties'>]?: string };

/** What is wrong with a field; no field if the whole is wrong. */
export type Fault = { field: string; value?: unknown; message: string };

/** What events may say: when, and of whom. */
export type Rules = {
  now: Date;
  /** The first instant that is kept. */
  keptFrom: Date;
  keptDays: number;
  /** By slug. */
  retailers: ReadonlyMap<string, string>;
};

export function readEvent(record: unknown, said: Rules): Event | Fault[] {
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    return [{ field: '', message: 'is no object with id, kind and happened_at' }];
  const given = record as Record<string, unknown>;
  const rule = rules.get(given.kind);
  if (rule === undefined) {
    const message = `is none of ${Object.keys(kinds).join(', ')}`;
    return [{ field: 'kind', value: given.kind, message }];
  }
  const event: Record<string, unknown> = { kind: given.kind };
  const faults: Fault[] = [];
  for (const field in given) {
    const value = given[field];
    if (field === 'kind') continue;
    if (!rule.allowed.has(field)) faults.push({ field, message: 'is no field of this kind' });
    else if (value !== null && value !== undefined) {
      const found = fields[field as Field](value);
      if (found instanceof Refusal) faults.push({ field, value, message: found.message });
      else event[field] = found;
    }
  }
  for (const field of rule.needs)
    if (given[field] === undefined || given[field] === null) faults.push({ field, message: 'is needed' });
  if (faults.length === 0) faults.push(...faultsOf(event as Event, said));
  return faults.length > 0 ? faults : (event as Event);
}

function* faultsOf(event: Event, { now, keptFrom, keptDays, retailers }: Rules): Generator<Fault> {
  const { happened_at: ms, retailer, latitude, longitude, amount, currency } = event;
  const at = () => ({ field: 'happened_at', value: new Date(ms).toISOString() });
  if (ms > now.getTime() + AHEAD_MS) yield { ...at(), message: 'lies more than a day ahead' };
  if (ms < keptFrom.getTime())
    yield { ...at(), message: `is older than the ${keptDays} days for which events are kept` };
  if (retailer != null && !retailers.has(retailer))
    yield { field: 'retailer', value: retailer, message: 'there is no such retailer' };
  if ((latitude == null) !== (longitude == null))
    yield { field: 'latitude', value: latitude, message: 'and longitude go together' };
  if ((amount == null) !== (currency == null))
    yield { field: 'amount', value: amount, message: 'and currency go together' };
}

/** `where`: the line of a file, or the place in a list. */
export function saidOf(where: string, { field, value, message }: Fault): string {
  const given = value === undefined ? '' : ` ${quote(value, VALUE_CHARS_MAX)}`;
  return `${where}${field === '' ? '' : `, ${quote(field, VALUE_CHARS_MAX)}${given}`}: ${message}`;
}

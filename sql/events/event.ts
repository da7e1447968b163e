/**
 * An event as its sender writes it, and the one door where it is checked: which kinds there are, what each of them needs,
 * and how long everything may be.
 */
import { z } from 'zod';
import { isCurrency } from '#runtime/currencies.ts';
import { quote, scrub, scrubbed, VALUE_CHARS_MAX } from '#runtime/scrub.ts';

const ID_CHARS_MAX = 200;
const NAME_CHARS_MAX = 100;
const THING_CHARS_MAX = 200;
const PERSON_CHARS_MAX = 320;
const PROPERTIES_CHARS_MAX = 4_000;
const DEGREES = /^-?\d{1,3}(\.\d{1,15})?$/;
const CONTROLS = /\p{Cc}/u;
/** A clock of a sender may be ahead by so much. */
const AHEAD_MS = 86_400_000;

/** One line of text without control characters. */
function text(charsMax: number) {
  return z
    .string('is needed, as text')
    .min(1, 'is empty')
    .max(charsMax, `is longer than ${charsMax} characters`)
    .refine((given) => !CONTROLS.test(given) && given.isWellFormed(), 'has control characters');
}

/** Most values come again and again, and patterns are slow. */
const harmless = new Set<string>();
const HARMLESS_MAX = 10_000;

/** Stored and shown as it is: so nothing in it may name a person or be a key. */
function plain(given: string): boolean {
  if (harmless.has(given)) return true;
  if (scrub(given) !== given) return false;
  if (harmless.size < HARMLESS_MAX) harmless.add(given);
  return true;
}

const thing = text(THING_CHARS_MAX).refine(plain, 'looks like personal data or a key');
const name = text(NAME_CHARS_MAX).refine(plain, 'looks like personal data or a key');
const stage = z
  .string('is needed, as text')
  .regex(/^[a-z][a-z0-9_]{0,49}$/, 'is not a name like checkout: a-z, 0-9 and _, at most 50')
  .refine((given) => given !== 'page_view' && given !== 'cart_add', 'is a kind of its own');
const visitor = text(PERSON_CHARS_MAX);
const instant = z.iso
  .datetime({ offset: true, error: 'is not an instant with its offset, like 2026-03-29T12:00:00Z' })
  .transform((given) => Date.parse(given));
/** JSON has numbers for these, CSV has texts. */
const decimal = z.preprocess(
  (given) => (typeof given === 'number' ? String(given) : given),
  z.string('is not a decimal amount').regex(/^\d{1,15}(\.\d{1,6})?$/, 'is not a decimal amount like "12.50"'),
);
const degrees = (max: number) =>
  z.preprocess(
    (given) => (typeof given === 'string' && DEGREES.test(given) ? Number(given) : given),
    z.number('is not a number of degrees').min(-max, `is below -${max}`).max(max, `is above ${max}`),
  );
const properties = z
  .record(z.string(), z.unknown(), 'is not an object')
  .refine(
    (given) => JSON.stringify(given).length <= PROPERTIES_CHARS_MAX,
    `has more than ${PROPERTIES_CHARS_MAX} characters`,
  );

const common = {
  // An erasure would have to rename it, and then it would not be known again.
  id: text(ID_CHARS_MAX).refine((given) => !given.includes('@'), 'contains an e-mail address'),
  happened_at: instant,
  retailer: text(NAME_CHARS_MAX).nullish(),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'is not a code like GB')
    .nullish(),
  properties: properties.nullish(),
};

/** Each kind with what it has besides; what may be left out may be null. */
const kinds = [
  z.strictObject({ kind: z.literal('page_view'), ...common, visitor, asset: thing.nullish() }),
  z.strictObject({ kind: z.literal('cart_add'), ...common, visitor }),
  z.strictObject({
    kind: z.literal('conversion'),
    ...common,
    ...{ visitor, stage, amount: decimal.nullish() },
    currency: z.string().refine(isCurrency, 'is not an ISO 4217 code like GBP').nullish(),
  }),
  z.strictObject({ kind: z.literal('exposure'), ...common, visitor, experiment: name, variant: name }),
  z.strictObject({ kind: z.literal('ab_conversion'), ...common, visitor, experiment: name }),
  z.strictObject({
    kind: z.literal('scan'),
    ...common,
    ...{ visitor: visitor.nullish(), code: thing },
    ...{ latitude: degrees(90).nullish(), longitude: degrees(180).nullish() },
  }),
  z.strictObject({ kind: z.literal('download'), ...common, visitor: visitor.nullish(), asset: thing }),
] as const;

const schema = z.discriminatedUnion('kind', kinds, {
  error: `is none of ${kinds.map(({ shape }) => shape.kind.value).join(', ')}`,
});

export const KINDS = kinds.map(({ shape }) => shape.kind.value);
/** Of a file with columns. */
export const COLUMNS: readonly string[] = [...new Set(kinds.flatMap(({ shape }) => Object.keys(shape)))];

/** With the fields of all kinds; those that a kind does not have are absent. */
export type Event = {
  kind: (typeof KINDS)[number];
  id: string;
  /** In milliseconds. */
  happened_at: number;
  latitude?: number | null;
  longitude?: number | null;
  properties?: Record<string, unknown> | null;
} & { [Text in TextField]?: string | null };

type TextField = Exclude<Field, 'kind' | 'id' | 'happened_at' | 'latitude' | 'longitude' | 'properties'>;
type Field = FieldOf<(typeof kinds)[number]>;
type FieldOf<K> = K extends { shape: infer S } ? keyof S : never; // of each kind

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

export function readEvent(record: unknown, rules: Rules): Event | Fault[] {
  const { success, data, error } = schema.safeParse(record);
  if (!success) return error.issues.map((issue) => faultOf(issue, record));
  const event = data as Event;
  const faults = [...faultsOf(event, rules)];
  if (faults.length > 0) return faults;
  return event.properties
    ? { ...event, properties: scrubbed(event.properties) as Event['properties'] }
    : event;
}

function faultOf({ code, path, message, ...issue }: z.core.$ZodIssue, record: unknown): Fault {
  if (code === 'unrecognized_keys')
    return {
      field: (issue as { keys?: string[] }).keys?.join(', ') ?? '',
      message: 'is no field of this kind',
    };
  const field = String(path[0] ?? (code === 'invalid_union' ? 'kind' : ''));
  return { field, value: (Object(record) as Record<string, unknown>)[field], message };
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

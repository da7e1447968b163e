/**
 * Rates as the ECB publishes them, in any layout: units of a currency per euro, on days of publication only. A file is
 * accepted or refused completely.
 */
import { isCurrency } from '#runtime/currencies.ts';
import { quote, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import { isDay } from '#sql/db/copy.ts';
import { isPublicationDay } from './calendar.ts';
import { type Place, RatesNotUnderstood } from './errors.ts';

/** Why a person should check the rates of a day; they are used anyway. */
export type Doubt = 'closed_day';

export type PublishedDay = {
  day: string;
  /** Decimal text by currency; null where the file says that there is none. */
  rates: ReadonlyMap<string, string | null>;
  /** Whether a currency that other days have and this one lacks was not published on this day. */
  isWhole: boolean;
  doubts: readonly Doubt[];
};

export type Layout = 'XML' | 'history CSV' | 'daily CSV';

/** Oldest day first. */
export type Published = { layout: Layout; days: readonly PublishedDay[] };

/** A day with fewer currencies, or without these two, is probably incomplete. */
const CURRENCIES_MIN = 25;
const EXPECTED = ['USD', 'GBP'];
const DAYS_MAX = 50_000;
const CURRENCIES_MAX = 500;
const DIGITS_MAX = 30;
const RATE = /^\d+(\.\d+)?$/;

/** Collects rates from a reader and refuses invalid ones. */
export type Collector = {
  day(text: string, place: Place): void;
  rate(currency: string, text: string | null, place: Place): void;
  finish(layout: Layout): Published;
  fail(reason: string, place?: Place): never;
};

export type Origin = {
  /** Its name in messages. */
  source: string;
  /** No rate may be of a later day. */
  today: string;
};

export function collect({ source, today }: Origin): Collector {
  const days = new Map<string, Map<string, string | null>>();
  let current: Map<string, string | null> | undefined;
  const fail = (reason: string, place?: Place): never => {
    throw new RatesNotUnderstood(source, reason, place);
  };
  return {
    fail,
    day(text, place) {
      if (!isDay(text)) fail(`"${cut(text)}" is not a day`, place);
      if (text > today) fail(`${text} is in the future, and rates are never published ahead`, place);
      if (days.has(text)) fail(`${text} is there twice`, place);
      if (days.size >= DAYS_MAX)
        fail(`it has more than ${DAYS_MAX} days, more than any file of the ECB`, place);
      current = new Map();
      days.set(text, current);
    },
    rate(currency, text, place) {
      if (!current) return fail(`the rate of ${cut(currency)} belongs to no day`, place);
      if (!isCurrency(currency)) fail(`"${cut(currency)}" is not a currency code`, place);
      if (currency === 'EUR') fail('the euro has no rate: it is the unit of the others', place);
      if (current.has(currency)) fail(`${currency} is there twice on one day`, place);
      if (current.size >= CURRENCIES_MAX) fail(`more than ${CURRENCIES_MAX} currencies on one day`, place);
      const fault = text === null ? undefined : faultOf(text);
      if (fault) fail(`the rate of ${currency}, "${cut(text ?? '')}", ${fault}`, place);
      current.set(currency, text);
    },
    finish(layout) {
      if (days.size === 0) fail('there is no day with rates in it');
      const sorted = [...days].sort(([left], [right]) => (left < right ? -1 : 1));
      return { layout, days: sorted.map(([day, rates]) => published(day, rates, layout)) };
    },
  };
}

function published(day: string, rates: ReadonlyMap<string, string | null>, layout: Layout): PublishedDay {
  const given = new Set([...rates].filter(([, rate]) => rate !== null).map(([currency]) => currency));
  const hasEnough = given.size >= CURRENCIES_MIN && EXPECTED.every((currency) => given.has(currency));
  // An XML file omits what was not published; a table marks it in its column.
  return {
    day,
    rates,
    isWhole: layout === 'XML' && hasEnough,
    doubts: isPublicationDay(day) ? [] : ['closed_day'],
  };
}

function faultOf(text: string): string | undefined {
  if (/^\d+,\d+$/.test(text)) return 'has a decimal comma, where the ECB writes a point';
  if (!RATE.test(text) || text.length > DIGITS_MAX) return 'is not a decimal number like 1.1684';
  return /[1-9]/.test(text) ? undefined : 'is zero';
}

/** A text, cut for a message. */
export function cut(text: string): string {
  return quote(text, VALUE_CHARS_MAX);
}

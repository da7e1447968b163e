/** The three feeds as the ECB lays them out; the XML files differ in quotes, zeros and line breaks. */
import type { Day, Rates } from './rates.ts';
import { zip } from './zip.ts';

const DAY_MS = 86_400_000;
const RECENT_DAYS = 90;
const ENVELOPE =
  '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">';
const XML = '<?xml version="1.0" encoding="UTF-8"?>';

export type Feed = { type: string; body: Buffer };

export const FEEDS: Readonly<Record<string, (rates: Rates, now: number) => Feed>> = {
  'eurofxref-hist.zip': (rates) => {
    const csv = [rates.header, ...rates.days.map(({ line }) => line), ''].join('\n');
    const changed = new Date(rates.days[0]?.publishedAt ?? 0);
    return { type: 'application/zip', body: zip('eurofxref-hist.csv', Buffer.from(csv), changed) };
  },
  'eurofxref-daily.xml': (rates) => xml(dailyXml(rates)),
  'eurofxref-hist-90d.xml': (rates, now) => xml(recentXml(rates, now)),
};

function xml(text: string): Feed {
  return { type: 'text/xml', body: Buffer.from(text) };
}

/** One day, pretty-printed, in single quotes, with the zeros at the ends of rates. */
function dailyXml(rates: Rates): string {
  const [day] = rates.days;
  const places = day ? placesOf(rates.days.slice(0, RECENT_DAYS)) : new Map<string, number>();
  const lines = [...(day?.rates ?? [])].map(([currency, rate]) => {
    return `\t\t\t<Cube currency='${currency}' rate='${padded(rate, places.get(currency) ?? 0)}'/>`;
  });
  const cube = day ? [`\t\t<Cube time='${day.date}'>`, ...lines, '\t\t</Cube>'] : [];
  return [
    XML,
    ENVELOPE,
    '\t<gesmes:subject>Reference rates</gesmes:subject>',
    '\t<gesmes:Sender>',
    '\t\t<gesmes:name>European Central Bank</gesmes:name>',
    '\t</gesmes:Sender>',
    '\t<Cube>',
    ...cube,
    '\t</Cube>',
    '</gesmes:Envelope>',
  ].join('\n');
}

/** The last 90 calendar days, in double quotes, without such zeros. */
function recentXml(rates: Rates, now: number): string {
  const since = new Date(now - RECENT_DAYS * DAY_MS).toISOString().slice(0, 10);
  const days = rates.days.filter(({ date }) => date >= since).map(recentDay);
  const sender = '<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>';
  const subject = '<gesmes:subject>Reference rates</gesmes:subject>';
  return `${XML}${ENVELOPE}${subject}${sender}<Cube>${days.join('\n')}</Cube></gesmes:Envelope>`;
}

function recentDay({ date, rates }: Day): string {
  const cubes = [...rates].map(([currency, rate]) => `<Cube currency="${currency}" rate="${rate}"/>`);
  return `<Cube time="${date}">${cubes.join('')}</Cube>`;
}

/** How many places the rates of each currency have at most. */
function placesOf(days: readonly Day[]): Map<string, number> {
  const places = new Map<string, number>();
  for (const { rates } of days) {
    for (const [currency, rate] of rates) {
      const [, fraction = ''] = rate.split('.');
      places.set(currency, Math.max(places.get(currency) ?? 0, fraction.length));
    }
  }
  return places;
}

function padded(rate: string, places: number): string {
  const [whole = '', fraction = ''] = rate.split('.');
  return places === 0 ? rate : `${whole}.${fraction.padEnd(places, '0')}`;
}

/**
 * The mail of the brand `giftware`. All of it is made up, and the same on each run: a newsletter to each retailer every
 * Thursday of the year of the orders, and what a few hundred recipients did with it.
 */
import type { Draft } from '../ndjson.ts';
import { pseudoRandom } from '../random.ts';
import type { Account } from '../tables/declare.ts';
import { accountOf } from '../tables/load.ts';
import { localToInstant } from '../zone.ts';
import { type Settings, shape } from './settings.ts';

export const MAILER = 'giftware';
export const MAILER_KEY = 'SG.sandbox_giftware.key';
const RECIPIENTS = { uk: 120, germany: 40, france: 30, eire: 20, rest: 40 };
/** Real accounts allow some hundreds a minute, and say so. */
const LIMIT = { count: 1_000, seconds: 60 };
const FIRST_THURSDAY = Date.UTC(2010, 11, 2);
const WEEKS = 54;
const DAY_MS = 86_400_000;
const GROUP = { id: 101, name: 'Newsletter', description: 'made up', is_default: true, unsubscribes: 0 };

/** Its rows are made when they are first asked for. */
export function giftwareMailer(zone: string): Account<Settings> {
  const settings = shape.parse({ [MAILER]: { key: MAILER_KEY, zone, limit: LIMIT } })[MAILER] as Settings;
  let made: Account<Settings> | undefined;
  const account = () => {
    made ??= accountOf(MAILER, settings, filesOf(zone));
    return made;
  };
  return { name: MAILER, settings, rows: (file) => account().rows(file) };
}

function filesOf(zone: string): ReadonlyMap<string, readonly Draft[]> {
  const next = pseudoRandom(20_101_201);
  const events: Draft[] = [];
  const sends: Draft[] = [];
  for (const [retailer, recipients] of Object.entries(RECIPIENTS)) {
    const gone = new Set<number>();
    for (let week = 0; week < WEEKS; week++) {
      const day = new Date(FIRST_THURSDAY + week * 7 * DAY_MS).toISOString().slice(0, 10);
      const send = sendOf(retailer, day, localToInstant(`${day} 09:00:00`, zone));
      sends.push(send);
      for (let one = 0; one < recipients; one++)
        if (!gone.has(one)) events.push(...lifeOf({ send, retailer, one, next, gone }));
    }
  }
  events.sort((left, right) => Number(left.timestamp) - Number(right.timestamp));
  return new Map([
    ['events', events],
    ['singlesends', sends.map((send) => ({ _at: send.created_at, ...send }))],
    ['asm_groups', [GROUP]],
    [
      'templates',
      [{ id: 'd-made-up', name: 'Newsletter', generation: 'dynamic', updated_at: '2010-12-01 09:00:00' }],
    ],
  ]);
}

function sendOf(retailer: string, day: string, at: number): Draft {
  const id = `${retailer}-${day}`;
  const stamp = (ms: number) => new Date(ms).toISOString();
  return {
    ...{ id, name: `Newsletter ${retailer} ${day}`, status: 'triggered', categories: [retailer] },
    ...{ send_at: stamp(at), created_at: stamp(at - DAY_MS), updated_at: stamp(at) },
    send_to: { list_ids: [`list-${retailer}`], segment_ids: [], all: false },
  };
}

type Life = { send: Draft; retailer: string; one: number; next: () => number; gone: Set<number> };

/** What one recipient did with one letter. */
function lifeOf({ send, retailer, one, next, gone }: Life): Draft[] {
  const at = Date.parse(String(send.send_at)) / 1000;
  const message = `${send.id}.made-up.${one}`;
  const events: Draft[] = [];
  const add = (event: string, seconds: number, more: Draft = {}) =>
    events.push({
      ...{ email: `reader${one}@${retailer}.example`, timestamp: Math.round(at + seconds), event },
      ...{ sg_event_id: `${message}.${events.length}`, sg_message_id: message, category: [retailer] },
      ...{ singlesend_id: send.id, singlesend_name: send.name, mc_stats: 'singlesend', phase_id: 'send' },
      ...more,
    });
  add('processed', one);
  const fate = next();
  if (fate < 0.01) {
    gone.add(one);
    add('bounce', one + 5, { type: 'bounce', reason: '550 5.1.1 unknown', status: '5.1.1' });
    return events;
  }
  add('delivered', one + 3 + next() * 60);
  const opened = 60 + next() ** 3 * 3 * 86_400;
  if (fate > 0.65) add('open', opened, next() < 0.3 ? { sg_machine_open: true } : {});
  if (fate > 0.9)
    add('click', opened + 20, { url: `https://shop.example/${retailer}?utm_campaign=${send.id}` });
  if (fate > 0.996) {
    gone.add(one);
    add('unsubscribe', opened + 90);
  }
  return events;
}

/** Email Logs: the messages of an account, put together from its events. */
import type { Draft } from '../ndjson.ts';
import { type Asked, Refusal } from '../tables/declare.ts';
import { wholeOf } from '../tables/lists.ts';
import { memo } from '../tables/memo.ts';
import { eventsOf, isSentHere } from './sent.ts';
import { listOf, type Settings, secondsOf } from './settings.ts';

const KEPT_SECONDS = 30 * 86_400;
const LIMIT_MAX = 1_000;
const EVENTS_MAX = 100;
const RESERVED = new Set([
  ...[
    'email',
    'timestamp',
    'event',
    'sg_event_id',
    'sg_message_id',
    'smtp-id',
    'category',
    'asm_group_id',
    'ip',
  ],
  ...[
    'response',
    'attempt',
    'reason',
    'status',
    'type',
    'bounce_classification',
    'tls',
    'useragent',
    'url',
    'pool',
    'template_id',
  ],
  ...['sg_machine_open', 'sg_content_type', 'url_offset', '_subuser', '_logged', '_lost'],
]);

/** Fields of the webhook's events that no log has. */
const UNLOGGED = new Set(['singlesend_id', 'singlesend_name', 'phase_id']);

type Message = { id: string; created: number; status: string; events: Draft[] };

/** Messages of the last 30 days, in the order of their first event. */
function messagesOf({ account, now, body, query }: Asked<Settings>): Message[] {
  const [subuser = query.get('subuser')] = Array.isArray(body.subusers) ? body.subusers : [];
  const events = subuser === null ? eventsOf(account) : account.rows(`subuser ${subuser}`);
  return memo(events, now, 'messages', () => gather(events, now));
}

function gather(all: readonly Draft[], now: number): Message[] {
  const messages = new Map<string, Message>();
  for (const event of all) {
    const id = String(event.sg_message_id ?? '');
    const seconds = secondsOf(event);
    if (id === '' || seconds * 1000 > now) continue;
    const found = messages.get(id) ?? { id, created: seconds, status: 'processed', events: [] };
    found.status = STATUS[statusKey(event)] ?? found.status;
    found.created = Math.min(found.created, seconds);
    found.events.push(event);
    messages.set(id, found);
  }
  return [...messages.values()].filter(({ created }) => created * 1000 > now - KEPT_SECONDS * 1000);
}

const statusKey = ({ event, type }: Draft) => (type === 'blocked' ? 'blocked' : String(event));
const STATUS: Record<string, string> = {
  ...{
    deferred: 'deferred',
    delivered: 'delivered',
    dropped: 'dropped',
    bounce: 'bounced',
    blocked: 'blocked',
  },
  ...{ open: 'delivered', click: 'delivered' },
};

const CONDITION =
  /^(?:(sg_message_id_created_at)\s*(>=|<=|>|<)\s*TIMESTAMP "([^"]+)"|(sg_message_id|to_email)\s*=\s*["']([^"']+)["']|(status|categories)\s+IN\s+\(([^)]*)\))$/;

function fits(message: Message, query: string): boolean {
  return query.split(' AND ').every((condition) => {
    const found = CONDITION.exec(condition.trim());
    if (!found) throw new Refusal(400, `invalid query: ${condition}`);
    const [, , operator = '', instant = '', field, wanted, list, values = ''] = found;
    if (operator) return compare(message.created, operator, Date.parse(instant) / 1000);
    if (field) return (field === 'to_email' ? message.events[0]?.email : message.id) === wanted;
    const among = [...values.matchAll(/["']([^"']*)["']/g)].map(([, value]) => value);
    const own = list === 'status' ? [message.status] : listOf(message.events[0]?.category);
    return own.some((value) => among.includes(value));
  });
}

function compare(left: number, operator: string, right: number): boolean {
  if (operator.startsWith('>')) return operator === '>=' ? left >= right : left > right;
  return operator === '<=' ? left <= right : left < right;
}

export function listLogs(asked: Asked<Settings>): unknown {
  const { query = '', limit = 10 } = asked.body;
  if (!(Number(limit) >= 1 && Number(limit) <= LIMIT_MAX)) throw new Refusal(400, 'limit is from 1 to 1000');
  const isLate = asked.isStruck('late_logs');
  const found = messagesOf(asked).filter(
    (message) => fits(message, String(query)) && !(isLate && isSentHere(message.id)),
  );
  return { messages: wholeOf(asked, found.map(shortOf)).slice(0, Number(limit)) };
}

function shortOf({ id, created, status, events }: Message) {
  return {
    ...{ from_email: 'news@example.com', to_email: String(events[0]?.email ?? ''), subject: 'Made up' },
    ...{ sg_message_id: id, sg_message_id_created_at: new Date(created * 1000).toISOString(), status },
  };
}

export function oneLog(asked: Asked<Settings>): unknown {
  const message = messagesOf(asked).find(({ id }) => id === asked.ids[0]);
  if (!message) throw new Refusal(404, 'not found');
  const [first = {}] = message.events;
  const events = message.events.map((event) => ({
    ...Object.fromEntries(
      Object.entries(event).filter(([name]) => RESERVED.has(name) && !name.startsWith('_')),
    ),
    timestamp: secondsOf(event),
  }));
  const received = { event: 'received', recv_msgid: 'recv', timestamp: message.created };
  const custom = Object.entries(first).filter(
    ([name, value]) => !RESERVED.has(name) && !UNLOGGED.has(name) && typeof value === 'string',
  );
  return {
    ...shortOf(message),
    ...{ api_key_id: 'sandbox', client_ip: '127.0.0.1', category: listOf(first.category) },
    ...(typeof first.template_id === 'string' && { template_id: first.template_id }),
    custom_args: Object.fromEntries(custom),
    events: [received, ...events].slice(-EVENTS_MAX),
  };
}

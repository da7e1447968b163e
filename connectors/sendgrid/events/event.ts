/**
 * What happened to letters. The webhook brings events as they happen, Email Logs the ones that got lost; both are read
 * here, and one that comes twice is one row, by the id that SendGrid gives it.
 *
 * An event names a person. Kept are a digest of the address (`sql/tenants/persons.ts`), by which opens and clicks of one
 * person can be told apart and erased, and what figures need. Address, IP address, mailbox answers and the rest of a
 * link are dropped. Fields that SendGrid does not know are arguments of whoever sent the mail: they are kept, scrubbed.
 * https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
 */
import { hash } from 'node:crypto';
import { scrub, scrubbed } from '#runtime/scrub.ts';
import type { Item, Json } from '#sql/load/table.ts';
import type { PersonOf } from '#sql/tenants/persons.ts';
import { column, columnsOf, recordTable } from '../../kit/columns.ts';
import { type Fields, isObject, text as textOf } from '../../kit/fields.ts';
import { contentOf, resultOf } from '../../kit/records.ts';
import type { Page } from '../../kit/stream.ts';
import { idIfAny, seconds, text, textIfAny, textIfAnyOf, textsIfAnyOf } from '../api/columns.ts';

/** `logs`: repaired from Email Logs. */
export type Source = 'webhook' | 'logs';

type Of = { id: string; person: string | null; source: Source };

/** Fields of SendGrid that are dropped: whose they are, or of no use. */
const DROPPED = [
  ...[
    'email',
    'ip',
    'useragent',
    'response',
    'reason',
    'smtp-id',
    'tls',
    'cert_err',
    'url_offset',
    'pool',
    'date',
  ],
  ...[
    'sg_content_type',
    'send_at',
    'newsletter',
    'mc_stats',
    'template_hash',
    'template_version_id',
    'sg_user_id',
  ],
  ...[
    'sg_template_name',
    'post_type',
    'marketing_campaign_version',
    'marketing_campaign_split_id',
    'recv_msgid',
  ],
];
const ARGUMENTS_MAX = 50;

const own = columnsOf<Of>('text', (_record, key, of) => of[key as keyof Of]);

const isMachine = (record: Fields, key: string) => record[key] === true || record[key] === 'true';
const isClickOfPerson = (record: Fields) => record.event === 'click' && !isMachine(record, 'sg_machine_open');

export const events = recordTable<Of>({
  name: 'raw.sendgrid_events',
  key: ['id'],
  keeps: 'events',
  marksAccountDays: true,
  personal: {
    ...{
      of: [{ column: 'email_hash', as: 'email' }],
      within: ['clicker'],
      empties: ['url'],
      keeps: ['ns_mail'],
    },
  },
  partColumn: 'parts',
  partsAlsoOf: { by: 'single_send_id', table: 'raw.sendgrid_single_sends' },
  columns: {
    id: own('id'),
    event: text('event'),
    happened_at: seconds('timestamp', { marks: 'email' }),
    email_hash: own('person', { indexed: true }),
    clicker: column('text', (record, { person }) => (isClickOfPerson(record) ? person : null), {
      indexed: true,
      marks: 'clicks',
    }),
    message_id: textIfAny('sg_message_id'),
    send_id: columnsOf(
      'text',
      (record, key) => textIfAnyOf(record, key)?.split('.')[0] ?? null,
    )('sg_message_id'),
    categories: columnsOf('text[]', categoriesOf)('category'),
    parts: column('text[]', (record) => categoriesOf(record, 'category').map((name) => `category:${name}`)),
    single_send_id: textIfAny('singlesend_id'),
    single_send: textIfAny('singlesend_name'),
    phase: textIfAny('phase_id'),
    legacy_campaign_id: idIfAny('marketing_campaign_id'),
    legacy_campaign: textIfAny('marketing_campaign_name'),
    template_id: columnsOf(
      'text',
      (record) => textIfAnyOf(record, 'template_id') ?? textIfAnyOf(record, 'sg_template_id'),
    )('template_id'),
    group_id: idIfAny('asm_group_id'),
    bounce_type: textIfAny('type'),
    bounce_class: textIfAny('bounce_classification'),
    status: textIfAny('status'),
    attempt: idIfAny('attempt'),
    is_machine: columnsOf('boolean', isMachine)('sg_machine_open'),
    url: columnsOf('text', linkOf)('url'),
    source: own('source'),
    payload: column('jsonb', (record, _of, read) => argumentsOf(record, read)),
  },
});

const KNOWN: ReadonlySet<string> = new Set([...DROPPED, ...events.fields, 'sg_event_id', 'sg_template_id']);

/** Whoever makes one may put an address into it. */
function categoriesOf(record: Fields, key: string): readonly string[] {
  return textsIfAnyOf(record, key).map((name) => scrub(name));
}

/** A link without what may name a person: of its parameters only those of campaigns. */
function linkOf(record: Fields, key: string): string | null {
  const given = textIfAnyOf(record, key);
  if (given === null || !URL.canParse(given)) return null;
  const { origin, pathname, searchParams } = new URL(given);
  const kept = [...searchParams]
    .filter(([name]) => name.startsWith('utm_'))
    .map(([name, value]): [string, string] => [name, scrub(value)]);
  const query = kept.length === 0 ? '' : `?${new URLSearchParams(kept)}`;
  return `${origin === 'null' ? '' : origin}${pathOf(pathname)}${query}`;
}

/** An address in a path may be written with %40. */
function pathOf(pathname: string): string {
  const shown = decoded(pathname);
  const clean = scrub(shown);
  return clean === shown ? pathname : encodeURI(clean);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Arguments of the sender, without what looks like personal data or a secret. */
function argumentsOf(record: Fields, read: ReadonlySet<string>): Json | null {
  const given = Object.entries(record).filter(([name]) => !KNOWN.has(name) && !read.has(name));
  if (given.length === 0) return null;
  return scrubbed(Object.fromEntries(given.slice(0, ARGUMENTS_MAX))) as Json;
}

/** The id of SendGrid; an event that has none is known by what it says. */
function idOf(record: Fields, personOf: PersonOf): string {
  const given = textIfAnyOf(record, 'sg_event_id');
  if (given !== null) return given;
  const who = typeof record.email === 'string' ? personOf(record.email) : null;
  const said = [record.sg_message_id ?? record['smtp-id'], record.event, who, record.timestamp, record.url];
  return `sha256:${hash('sha256', JSON.stringify(said)).slice(0, 32)}`;
}

const PERSONAL: ReadonlySet<string> = new Set(DROPPED);

export type Reader = { personOf: PersonOf; source: Source; readAt: Date };

/**
 * The content of a page of `sendgrid.events`: a batch of the webhook, parsed, or the events of a log. What cannot be
 * understood is rejected alone, so that it does not bring back the whole batch for a day.
 */
export function eventsOf(batch: readonly unknown[], reader: Reader): Pick<Page, 'items' | 'rejected'> {
  return contentOf(
    batch.map((given) => {
      const record = isObject(given) ? given : { event: given };
      const kept = { leftOut: PERSONAL, idOf: () => keyOf(record, reader.personOf) };
      const url = typeof record.url === 'string' ? linkOf(record, 'url') : undefined;
      const shown = { ...record, id: 'event', ...(url !== undefined && { url }) };
      return resultOf(shown, () => itemOf(record, reader), kept);
    }),
  );
}

/** The id under which it would be stored, if that can be told. */
function keyOf(record: Fields, personOf: PersonOf): string {
  return typeof (record.sg_event_id ?? '') === 'string' ? idOf(record, personOf) : '';
}

function itemOf(record: Fields, { personOf, source, readAt }: Reader): Item {
  const id = idOf(record, personOf);
  const person = personOf(textOf(record, 'email'));
  return {
    ...{ id, changedAt: readAt },
    rows: { [events.name]: [events.rowOf(record, { id, person, source })] },
  };
}

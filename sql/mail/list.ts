/** Letters as people see them, with how far each has come by what events tell. */
import { coded } from '#runtime/errors.ts';
import { lookUp } from '../db/planner.ts';
import type { Db } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { eventsOf } from './events.ts';
import type { LetterKey, LetterState } from './letters.ts';

type Looking = Pick<Db, 'transaction'>;

export type LetterFilter = {
  brandId: string;
  connectionId?: string | undefined;
  state?: LetterState | undefined;
  campaign?: string | undefined;
  /** Digest of the address. */
  recipient?: string | undefined;
  /** Together with its connection. */
  id?: string | undefined;
  max: number;
};

export type LetterRow = {
  id: string;
  connection: string;
  connection_id: string;
  state: LetterState;
  /** How far it has come at the recipient: the furthest of its events; null if none came. */
  reached: string | null;
  reached_at: Date | null;
  template: string;
  language: string | null;
  campaign: string | null;
  recipient_hash: string;
  attempts: number;
  message_id: string | null;
  told_by: string | null;
  reason: string | null;
  queued_at: Date;
  sending_at: Date | null;
  ended_at: Date | null;
};

/** The furthest last: a letter that was delivered may still bounce, and one that was opened was delivered. */
const KINDS = [
  ...['processed', 'deferred', 'delivered', 'block', 'dropped', 'bounce'],
  ...['machine_open', 'open', 'click', 'unsubscribe', 'spam_report'],
];

/** How the rows are found, each way by its index: in the order of that, so that no missing statistics mean another one. */
const FOUND_BY = {
  id: `(select * from ops.mail m where m.brand_id = $1 and m.connection_id = $3 and m.id >= $7 and m.id <= $7
        order by m.brand_id, m.connection_id, m.id offset 0)`,
  recipient: `(select * from ops.mail m where m.brand_id = $1 and m.recipient_hash >= $6 and m.recipient_hash <= $6
        order by m.brand_id, m.recipient_hash offset 0)`,
  time: 'ops.mail',
} as const;

const lettersBy = (way: keyof typeof FOUND_BY) => `
  select m.id, c.name as connection, m.connection_id, m.state, r.kind as reached, r.happened_at as reached_at, m.template,
         m.language, m.campaign, m.recipient_hash, m.attempts, m.message_id, m.told_by, m.reason, m.queued_at, m.sending_at,
         m.ended_at
  from (
    select * from ${FOUND_BY[way]} m
    where m.brand_id = $1 and ($3::uuid is null or m.connection_id = $3) and ($4::text is null or m.state = $4)
      and ($5::text is null or m.campaign = $5) and ($6::text is null or m.recipient_hash = $6)
      and ($7::uuid is null or m.id = $7)
    order by m.brand_id, m.queued_at desc, m.id limit $8) m
  join app.connections c on c.brand_id = m.brand_id and c.id = m.connection_id
  left join lateral (
    select e.kind, e.happened_at from (${eventsOf('m.brand_id', 'm.connection_id', 'm.id::text')}) e
    order by array_position($2::text[], e.kind) desc nulls last, e.happened_at, e.event_id limit 1) r on true
  order by m.queued_at desc, m.id`;

/** The latest first. */
export function listLetters(db: Looking, filter: LetterFilter): Promise<LetterRow[]> {
  const { brandId, connectionId, state, campaign, recipient, id, max } = filter;
  const way = id !== undefined ? 'id' : recipient !== undefined ? 'recipient' : 'time';
  return lookUp<LetterRow>(db, lettersBy(way), [
    ...[brandId, KINDS, connectionId ?? null, state ?? null, campaign ?? null, recipient ?? null],
    ...[id ?? null, max],
  ]);
}

export class LetterNotFound extends coded('NS_MAIL_NOT_FOUND') {
  constructor(id: string) {
    super(`There is no letter ${id}.`, { hint: 'npx nightshift mail list --brand BRAND', context: { id } });
  }
}

/** By its id; ids are random, so that it takes a brand only where somebody has copied one. */
export async function findLetter(db: Looking, id: string, brandId?: string): Promise<LetterKey> {
  const rows = await lookUp<LetterKey>(
    db,
    `select m.brand_id as "brandId", m.connection_id as "connectionId", m.id as "mailId"
     from app.connections c
     cross join lateral (
       select m.brand_id, m.connection_id, m.id from ops.mail m
       where m.brand_id = c.brand_id and m.connection_id = c.id and m.id >= $1 and m.id <= $1
       order by m.brand_id, m.connection_id, m.id) m
     where $2::uuid is null or c.brand_id = $2 limit 2`,
    [id, brandId ?? null],
  );
  const [letter, second] = rows;
  if (letter === undefined || second !== undefined) throw new LetterNotFound(id);
  return letter;
}

export type LetterEvent = { kind: string; happened_at: Date };

const EVENTS_MAX = 100;

export async function eventsOfLetter(
  db: Reader,
  { brandId, connectionId, mailId }: LetterKey,
): Promise<LetterEvent[]> {
  const { rows } = await db.query<LetterEvent>(
    `select kind, happened_at from (${eventsOf('$1', '$2', '$3')}) e order by happened_at, event_id limit $4`,
    [brandId, connectionId, mailId, EVENTS_MAX],
  );
  return rows;
}

/** Attempts to send a letter, and what became of them. Each change names the state that it expects. */
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import { eventsOf } from './events.ts';
import { type LetterKey, type LetterState, suppressionsOf } from './letters.ts';

/** `attempt` is its number; `told`: an event tells that an earlier one arrived. */
export type Begun = { attempt: number } | { suppressed: string } | { told: 'event' } | undefined;

/**
 * Records that the letter is on its way, before it is: committed, so that whoever comes later looks it up before it is
 * sent again. Undefined if it is not queued any more.
 */
export async function beginAttempt(tx: Tx, key: LetterKey): Promise<Begun> {
  const { brandId, connectionId, mailId } = key;
  const { rows } = await tx.query<{ recipient: string; attempts: number }>(
    `select recipient_hash as recipient, attempts from ops.mail
     where brand_id = $1 and connection_id = $2 and id = $3 and state = 'queued' for update`,
    [brandId, connectionId, mailId],
  );
  const [letter] = rows;
  if (letter === undefined) return undefined;
  const event = letter.attempts > 0 ? await toldByEvent(tx, key) : undefined;
  if (event !== undefined) {
    const { messageId } = event;
    await endLetter(tx, key, { from: ['queued'], state: 'sent', messageId, toldBy: 'event' });
    return { told: 'event' };
  }
  const reason = (await suppressionsOf(tx, key, [letter.recipient])).get(letter.recipient);
  if (reason !== undefined) {
    await endLetter(tx, key, { from: ['queued'], state: 'suppressed', reason });
    return { suppressed: reason };
  }
  const { rows: begun } = await tx.query<{ attempt: number }>(
    `update ops.mail set state = 'sending', attempts = attempts + 1, sending_at = clock_timestamp(), reason = null
     where brand_id = $1 and connection_id = $2 and id = $3 returning attempts as attempt`,
    [brandId, connectionId, mailId],
  );
  return begun[0];
}

export type End = {
  from: readonly LetterState[];
  state: 'sent' | 'failed' | 'suppressed' | 'discarded';
  messageId?: string | null;
  toldBy?: 'answer' | 'log' | 'event';
  reason?: string;
};

/** Whether it was in one of the states. What is not needed any more is not kept: a failed letter may be tried again. */
export async function endLetter(
  tx: Tx,
  { brandId, connectionId, mailId }: LetterKey,
  { from, state, messageId = null, toldBy, reason }: End,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update ops.mail set state = $5, message_id = coalesce($6, message_id), told_by = $7, reason = $8, ended_at = clock_timestamp(),
       content = case when $5 = 'failed' then content end,
       content_key_id = case when $5 = 'failed' then content_key_id end
     where brand_id = $1 and connection_id = $2 and id = $3 and state = any ($4::text[])`,
    [
      ...[brandId, connectionId, mailId, from, state, messageId?.slice(0, 200) ?? null, toldBy ?? null],
      reason === undefined ? null : scrub(reason),
    ],
  );
  return rowCount === 1;
}

/** It is not on its way after all, or an operator wants it to be tried again: as if it had just been queued (`anew`). */
export async function queueAgain(
  tx: Tx,
  { brandId, connectionId, mailId }: LetterKey,
  { from, reason, anew = false }: { from: readonly LetterState[]; reason?: string; anew?: boolean },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update ops.mail set state = 'queued', reason = $5, ended_at = null, told_by = null,
       queued_at = case when $6 then now() else queued_at end
     where brand_id = $1 and connection_id = $2 and id = $3 and state = any ($4::text[]) and content is not null`,
    [brandId, connectionId, mailId, from, reason === undefined ? null : scrub(reason), anew],
  );
  return rowCount === 1;
}

/** Says why nobody knows, of a letter that stays on its way. */
export async function noteReason(
  tx: Tx,
  { brandId, connectionId, mailId }: LetterKey,
  { reason, isUncertain = false }: { reason: string; isUncertain?: boolean },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update ops.mail set reason = $4, state = case when $5 then 'uncertain' else state end
     where brand_id = $1 and connection_id = $2 and id = $3 and state = 'sending'`,
    [brandId, connectionId, mailId, scrub(reason), isUncertain],
  );
  return rowCount === 1;
}

/** What the provider calls a letter of which an event tells: then it has it. */
export async function toldByEvent(
  db: Reader,
  { brandId, connectionId, mailId }: LetterKey,
): Promise<{ messageId: string | null } | undefined> {
  const { rows } = await db.query<{ messageId: string | null }>(
    `select send_id as "messageId" from (${eventsOf('$1', '$2', '$3')}) e order by happened_at, event_id limit 1`,
    [brandId, connectionId, mailId],
  );
  return rows[0];
}

const OTHERS_MAX = 10_000;

/** What the provider calls other letters to the recipient, the latest. */
export async function otherMessages(
  db: Reader,
  { brandId, connectionId, mailId, recipient }: LetterKey & { recipient: string },
): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ messageId: string }>(
    `select message_id as "messageId"
     from (select * from ops.mail where brand_id = $1 and recipient_hash >= $4 and recipient_hash <= $4
           order by brand_id, recipient_hash) m
     where connection_id = $2 and id <> $3 and message_id is not null
     order by queued_at desc, id limit ${OTHERS_MAX}`,
    [brandId, connectionId, mailId, recipient],
  );
  return new Set(rows.map(({ messageId }) => messageId));
}

/** Whether events of the connection are delivered to us. */
export async function takesEvents(db: Reader, { brandId, connectionId }: ConnectionKey): Promise<boolean> {
  const { rows } = await db.query(
    'select from app.webhook_secrets where brand_id = $1 and connection_id = $2 limit 1',
    [brandId, connectionId],
  );
  return rows.length > 0;
}

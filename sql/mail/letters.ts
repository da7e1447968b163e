/**
 * Letters as they are stored: `ops.mail` says what each state means. Address and variables are sealed together, and gone
 * as soon as the letter is: who it was for is known by a digest from then on.
 */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import { isPseudonym } from '../load/redact/erased.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import { personsOf } from '../tenants/persons.ts';
import type { Sealer } from '../tenants/secrets.ts';

export const letterStates = [
  'queued',
  'sending',
  'sent',
  'failed',
  'suppressed',
  'uncertain',
  'discarded',
] as const;
export type LetterState = (typeof letterStates)[number];

export type LetterKey = ConnectionKey & { mailId: string };

export type Variables = Readonly<Record<string, unknown>>;

/** What is sealed. */
export type Content = { to: string; variables: Variables };

export type NewLetters = {
  /** Each of another person. */
  recipients: readonly { to: string; hash: string }[];
  template: string;
  language: string | null;
  campaign: string | null;
  variables: Variables;
  /** Of letters to one person with an equal one only the first is queued. */
  once: string | null;
};

const place = ({ brandId, connectionId }: ConnectionKey) => ({ brandId, connectionId, use: 'mail' }) as const;

/** Returns the ids of the letters that were not there already. */
export async function storeLetters(
  tx: Tx,
  sealer: Sealer,
  key: ConnectionKey,
  { recipients, template, language, campaign, variables, once }: NewLetters,
): Promise<string[]> {
  await keepConnection(tx, key);
  const sealed = recipients.map(({ to }) => sealer.seal(JSON.stringify({ to, variables }), place(key)));
  const { rows } = await tx.query<{ id: string }>(
    `insert into ops.mail
       (brand_id, connection_id, template, language, campaign, recipient_hash, once_key, content, content_key_id)
     select $1, $2, $3, $4, $5, r.hash, $6 || ' ' || r.hash, r.content, $9
     from unnest($7::text[], $8::bytea[]) with ordinality as r (hash, content, place)
     order by r.place
     on conflict do nothing returning id`,
    [
      ...[key.brandId, key.connectionId, template, language, campaign, once],
      ...[recipients.map(({ hash }) => hash), sealed.map((one) => one.sealed), sealed[0]?.keyId],
    ],
  );
  return rows.map(({ id }) => id);
}

/** In which state the letters are that these persons have already, where one may be queued once only. */
export async function knownOf(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
  once: string | null,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, LetterState>> {
  if (once === null) return new Map();
  const { rows } = await db.query<{ hash: string; state: LetterState }>(
    `select recipient_hash as hash, state from ops.mail
     where brand_id = $1 and connection_id = $2 and once_key = any (
       select $3 || ' ' || h from unnest($4::text[]) h)`,
    [brandId, connectionId, once, [...hashes]],
  );
  return new Map(rows.map(({ hash, state }) => [hash, state]));
}

/** Why these persons get no letter, by digest: one who is erased, whom a provider's list cannot name any more, gets none either. */
export async function suppressionsOf(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  await followIndexes(tx);
  const { rows } = await tx.query<{ hash: string; reason: string }>(
    `select h.hash, min(s.reason) as reason
     from unnest($3::text[]) as h (hash)
     cross join lateral (
       select s.reason, s.group_id from fact.mail_suppressions s
       where s.brand_id = $1 and s.connection_id = $2 and s.email_hash >= h.hash and s.email_hash <= h.hash
       order by s.brand_id, s.connection_id, s.email_hash) s
     where s.group_id is null or s.group_id = (
       select m.group_id from app.mail_senders m where m.brand_id = $1 and m.connection_id = $2)
     group by h.hash`,
    [brandId, connectionId, [...hashes]],
  );
  const erased = hashes.filter(isPseudonym).map((hash) => [hash, 'the person is erased'] as const);
  return new Map([...erased, ...rows.map(({ hash, reason }) => [hash, reason] as const)]);
}

/** The addresses in the form in which they are stored and sent, each person once; what is no address is left out. */
export async function recipientsOf(
  db: Reader,
  sealer: Sealer,
  brandId: string,
  addresses: readonly string[],
): Promise<{ to: string; hash: string }[]> {
  const personOf = await personsOf(db, sealer, brandId);
  const found = new Map<string, string>();
  for (const address of addresses) {
    // Logs are searched by the letters of the address, so there must be one way to write it.
    const to = address.trim().toLowerCase();
    const hash = personOf(to);
    if (hash !== null && !found.has(hash)) found.set(hash, to);
  }
  return [...found].map(([hash, to]) => ({ to, hash }));
}

export type Letter = LetterKey & {
  state: LetterState;
  template: string;
  language: string | null;
  campaign: string | null;
  recipient: string;
  attempts: number;
  /** Since the last attempt began, by the clock of the database; null if there was none. */
  elapsedMs: number | null;
  sealed: Buffer | null;
  keyId: string | null;
  queuedAt: Date;
};

export async function readLetter(
  db: Reader,
  { brandId, connectionId, mailId }: LetterKey,
): Promise<Letter | undefined> {
  const { rows } = await db.query<Letter>(
    `select m.brand_id as "brandId", m.connection_id as "connectionId", m.id as "mailId", m.state, m.template,
            m.language, m.campaign, m.recipient_hash as recipient, m.attempts, m.content as sealed,
            m.content_key_id as "keyId", m.queued_at as "queuedAt",
            (extract(epoch from clock_timestamp() - m.sending_at) * 1000)::float8 as "elapsedMs"
     from ops.mail m where m.brand_id = $1 and m.connection_id = $2 and m.id = $3`,
    [brandId, connectionId, mailId],
  );
  return rows[0];
}

/** Undefined once it is not kept any more. */
export function contentOf(sealer: Sealer, letter: Letter): Content | undefined {
  const { sealed, keyId } = letter;
  if (sealed === null || keyId === null) return undefined;
  return JSON.parse(sealer.open({ sealed, keyId }, place(letter))) as Content;
}

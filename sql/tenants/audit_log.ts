/** Reads the audit log, latest first. */
import type { Reader } from '../db/reader.ts';
import { NameNotFound } from './names.ts';

export type AuditFilter = {
  /** A brand that was removed is still found by its name. */
  brand?: string | undefined;
  actor?: string | undefined;
  /** `noun.verb`, or a noun with all its verbs. */
  action?: string | undefined;
  since?: string | undefined;
  /** Up to, but without, this instant. */
  until?: string | undefined;
  /** Stands somewhere in the row, in capitals or not. */
  text?: string | undefined;
};

export type AuditRow = {
  id: string;
  at: Date;
  actor: string;
  action: string;
  brand: string | null;
  target: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  details: Record<string, unknown>;
};

/** A search reads so many rows, those of the brand and the time if these are named. */
export const AUDIT_READ_MAX = 100_000;

export type AuditPage = {
  rows: AuditRow[];
  /** Where more follows on the page: an end (`until`) that leaves nothing out. */
  next: string | undefined;
  /** Where earlier rows were not looked at, and more might be found in them: an end that begins with them. */
  stoppedAt: string | undefined;
};

export async function readAudit(db: Reader, filter: AuditFilter, max: number): Promise<AuditPage> {
  const { brand, actor, action, since, until, text } = filter;
  const brandIds = brand === undefined ? null : await brandsNamed(db, brand);
  const where = [brandIds, since ?? null, until ?? null];
  const { rows: found } = await db.query<AuditRow & { exact: string; past: string }>(ROWS, [
    ...[...where, actor ?? null, action ?? null, text ?? null],
    max + 1,
  ]);
  const rows = found.slice(0, max).map(({ exact: _, past: __, ...row }) => row);
  const [last, more] = [found[max - 1], found[max]];
  if (last && more) {
    // Rows of one transaction share their instant: where it is cut in two the next page shows it again.
    const isCut = last.exact === more.exact;
    return { rows, next: isCut ? last.past : last.exact, stoppedAt: undefined };
  }
  const { rows: unread } = await db.query<{ past: string }>(UNREAD, where);
  return { rows, next: undefined, stoppedAt: unread[0]?.past };
}

/** To the microsecond, as it is stored; to the millisecond where that is exact. */
const iso = (instant: string) =>
  `regexp_replace(to_char((${instant}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '000Z$', 'Z')`;

const JUST_PAST = "a.at + interval '1 microsecond'";

// By the index of the brand, or of the time.
const READ = `
  ops.audit_log a
  where ($1::uuid[] is null or a.brand_id = any ($1))
    and ($2::timestamptz is null or a.at >= $2)
    and ($3::timestamptz is null or a.at < $3)
  order by a.at desc, a.id desc`;

const ROWS = `
  select a.id::text, a.at, a.actor, a.action, b.slug as brand, a.target, a.before, a.after, a.details,
         ${iso('a.at')} as exact, ${iso(JUST_PAST)} as past
  from (select a.* from ${READ} limit ${AUDIT_READ_MAX}) a
  left join app.brands b on b.id = a.brand_id
  where ($4::text is null or a.actor = $4)
    and ($5::text is null or a.action = $5 or starts_with(a.action, $5 || '.'))
    and ($6::text is null
         or position(lower($6) in lower(concat_ws(' ', a.actor, a.action, a.target, a.before, a.after, a.details))) > 0)
  order by a.at desc, a.id desc
  limit $7`;

const UNREAD = `select ${iso(JUST_PAST)} as past from ${READ} offset ${AUDIT_READ_MAX} limit 1`;

async function brandsNamed(db: Reader, slug: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select id from app.brands where slug = $1
     union
     select brand_id from ops.audit_log where action = 'brands.remove' and target = $1`,
    [slug],
  );
  if (rows.length > 0) return rows.map(({ id }) => id);
  const { rows: known } = await db.query<{ slug: string }>('select slug from app.brands order by slug');
  throw new NameNotFound(
    'brand',
    slug,
    known.map((one) => one.slug),
  );
}

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

export async function readAudit(db: Reader, filter: AuditFilter, max: number): Promise<AuditRow[]> {
  const { brand, actor, action, since, until, text } = filter;
  const brandIds = brand === undefined ? null : await brandsNamed(db, brand);
  const { rows } = await db.query<AuditRow>(ROWS, [
    ...[brandIds, actor ?? null, action ?? null, since ?? null, until ?? null, text ?? null],
    max,
  ]);
  return rows;
}

const ROWS = `
  select a.id::text, a.at, a.actor, a.action, b.slug as brand, a.target, a.before, a.after, a.details
  from ops.audit_log a
  left join app.brands b on b.id = a.brand_id
  where ($1::uuid[] is null or a.brand_id = any ($1))
    and ($2::text is null or a.actor = $2)
    and ($3::text is null or a.action = $3 or starts_with(a.action, $3 || '.'))
    and ($4::timestamptz is null or a.at >= $4)
    and ($5::timestamptz is null or a.at < $5)
    and ($6::text is null
         or position(lower($6) in lower(concat_ws(' ', a.actor, a.action, a.target, a.before, a.after, a.details))) > 0)
  order by a.at desc, a.id desc
  limit $7`;

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

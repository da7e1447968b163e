/** What names a campaign: words in addresses, codes, letters and posts. */
import { coded } from '#runtime/errors.ts';
import { indexable, KEY_CHARS_MAX } from '../db/copy.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import { type Campaign, keepCampaigns } from './campaigns.ts';
import { markLinks } from './mark_links.ts';

export const LINK_KINDS = {
  utm_campaign: 'utm_campaign of addresses',
  discount_code: 'discount code',
  email_category: 'category of letters',
  single_send: 'id of a mailing',
  social_post: 'post, as bi.social_posts.post_id has it',
  hashtag: 'hashtag in posts',
} as const;

export type LinkKind = keyof typeof LINK_KINDS;
export type Link = { kind: LinkKind; value: string };

/** People write these in any case. */
const CASELESS: ReadonlySet<LinkKind> = new Set(['utm_campaign', 'discount_code', 'hashtag']);

export class LinkUnfit extends coded('NS_LINK_UNFIT') {
  constructor({ kind, value }: Link) {
    super(`'${value}' cannot be a ${LINK_KINDS[kind]}.`, {
      hint: `Use 1 to ${KEY_CHARS_MAX} characters without control characters.`,
      context: { kind, value },
    });
  }
}

export class LinkTaken extends coded('NS_LINK_TAKEN') {
  constructor({ kind, value }: Link, other: string) {
    super(`${LINK_KINDS[kind]} ${value} names campaign ${other} already.`, {
      hint: 'Take it from that one first: npx nightshift campaigns unlink --help',
      context: { kind, value, campaign: other },
    });
  }
}

export class LinkNotFound extends coded('NS_LINK_NOT_FOUND') {
  constructor({ kind, value }: Link, campaign: string) {
    super(`${LINK_KINDS[kind]} ${value} does not name campaign ${campaign}.`, {
      hint: 'See what does: npx nightshift campaigns show --help',
      context: { kind, value, campaign },
    });
  }
}

/** As it is stored; PostgreSQL folds both sides of a comparison, because others fold some letters in another way. */
async function storedLink(tx: Tx, given: Link): Promise<Link> {
  const { kind, value } = linkOf(given);
  if (!CASELESS.has(kind)) return { kind, value };
  const { rows } = await tx.query<{ name: string | null }>('select fact.link_name($1) as name', [value]);
  return { kind, value: rows[0]?.name ?? value };
}

/** Checked, without outer blanks. A `utm_campaign` is cut like those of orders and posts, so that it still names them. */
export function linkOf({ kind, value }: Link): Link {
  const trimmed = value.trim();
  const plain = kind === 'hashtag' ? trimmed.replace(/^#/, '') : trimmed;
  const name = kind === 'utm_campaign' ? indexable(plain) : plain;
  if (name.length === 0 || name.length > KEY_CHARS_MAX || /\p{Cc}/u.test(plain))
    throw new LinkUnfit({ kind, value });
  return { kind, value: name };
}

export async function listLinks(db: Reader, { brandId, id }: Campaign): Promise<Link[]> {
  const { rows } = await db.query<Link>(
    'select kind, value from app.campaign_links where brand_id = $1 and campaign_id = $2 order by kind, value',
    [brandId, id],
  );
  return rows;
}

/** Whether it is new. */
export async function addLink(
  tx: Tx,
  { brandId, id, slug: target }: Campaign,
  given: Link,
  { actor }: { actor?: string } = {},
): Promise<boolean> {
  await keepCampaigns(tx, brandId, [id]);
  const link = await storedLink(tx, given);
  const values = [brandId, link.kind, link.value, id];
  const { rowCount } = await tx.query(
    `insert into app.campaign_links (brand_id, kind, value, campaign_id) values ($1, $2, $3, $4) on conflict do nothing`,
    values,
  );
  if (rowCount === 0) {
    const { rows } = await tx.query<{ slug: string }>(
      `select c.slug from app.campaign_links l join app.campaigns c on c.brand_id = l.brand_id and c.id = l.campaign_id
       where (l.brand_id, l.kind, l.value) = ($1, $2, $3) and l.campaign_id <> $4`,
      values,
    );
    if (rows[0]) throw new LinkTaken(link, rows[0].slug);
    return false;
  }
  await markLinks(tx, brandId, link);
  await recordAction(tx, { action: 'campaigns.link', brandId, target, after: link, actor });
  return true;
}

export async function removeLink(
  tx: Tx,
  { brandId, id, slug: target }: Campaign,
  given: Link,
  { actor }: { actor?: string } = {},
): Promise<void> {
  const link = await storedLink(tx, given);
  await markLinks(tx, brandId, { ...link, campaignId: id });
  const { rowCount } = await tx.query(
    'delete from app.campaign_links where (brand_id, kind, value, campaign_id) = ($1, $2, $3, $4)',
    [brandId, link.kind, link.value, id],
  );
  if (rowCount === 0) throw new LinkNotFound(link, target);
  await recordAction(tx, { action: 'campaigns.unlink', brandId, target, before: link, actor });
}

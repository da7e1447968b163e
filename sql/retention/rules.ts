/** For how long a brand keeps what: rules with a usual value and bounds, which a brand may set for itself. */
import { coded } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import type { Brand } from '../tenants/brands.ts';
import { keepBrand } from '../tenants/removing.ts';

export type RetentionRule = {
  rule: string;
  kept: number;
  unit: 'days' | 'weeks' | 'months' | 'years';
  usual: number;
  least: number;
  most: number;
  keeps: string;
  /** Whether the brand has set it. */
  isOwn: boolean;
};

/** By rule; null is the usual value again. */
export type RuleChanges = ReadonlyMap<string, number | null>;

export class RetentionUnfit extends coded('NS_RETENTION_UNFIT') {
  constructor(problem: string, brand: string) {
    super(`This cannot be set: ${problem}.`, {
      hint: `See the rules with their bounds: npx nightshift brands keep ${brand}`,
      context: { problem, brand },
    });
  }
}

export async function listRules(db: Reader, brandId: string): Promise<RetentionRule[]> {
  const { rows } = await db.query<RetentionRule>(
    `select rule, kept, unit, usual, least, most, keeps, is_own as "isOwn" from ops.retention
     where brand_id = $1 order by position`,
    [brandId],
  );
  return rows;
}

/** Says whether anything is different now. What is deleted by a shorter rule does not come back. */
export async function setRules(
  tx: Tx,
  { id: brandId, slug: target }: Pick<Brand, 'id' | 'slug'>,
  changes: RuleChanges,
  { actor }: { actor?: string } = {},
): Promise<boolean> {
  await keepBrand(tx, brandId);
  await tx.query('select from app.brands where id = $1 for no key update', [brandId]); // one change at a time
  const before = await listRules(tx, brandId);
  for (const [rule, kept] of changes) {
    const known = before.find((one) => one.rule === rule);
    if (known === undefined)
      throw new RetentionUnfit(
        `there is no rule ${rule}, only ${before.map((one) => one.rule).join(', ')}`,
        target,
      );
    if (kept !== null && (kept < known.least || kept > known.most))
      throw new RetentionUnfit(`${rule} is from ${known.least} to ${known.most} ${known.unit}`, target);
    await tx.query(
      kept === null
        ? 'delete from app.retention where brand_id = $1 and rule = $2'
        : `insert into app.retention (brand_id, rule, kept) values ($1, $2, $3)
           on conflict (brand_id, rule) do update set kept = excluded.kept`,
      [brandId, rule, ...(kept === null ? [] : [kept])],
    );
  }
  const after = await listRules(tx, brandId);
  const changed = after.filter(({ rule, kept }) => before.some((b) => b.rule === rule && b.kept !== kept));
  if (changed.length === 0) return false;
  const values = (rules: readonly RetentionRule[]) =>
    Object.fromEntries(
      rules
        .filter(({ rule }) => changed.some((one) => one.rule === rule))
        .map(({ rule, kept }) => [rule, kept]),
    );
  const change = { before: values(before), after: values(after) };
  await recordAction(tx, { action: 'brands.keep', brandId, target, ...change, actor });
  return true;
}

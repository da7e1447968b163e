/** Alerts of figures: final ones that moved further than the brand allows, and sums that do not add up. */
import { type AlertKind, raiseAlert, resolveAlert } from '#sql/alerts/alerts.ts';
import type { Tx } from '#sql/db/pool.ts';
import { movedTooFar, wrongSums } from '#sql/restatements/threshold.ts';
import { queueDeliveries } from './deliver_alert.ts';

type Which = { brandId: string; now: Date };
type Broken = { cause: string; hint: string };

/** Raises what is broken and resolves what no longer is. The last of its transaction. */
export async function watchFigures(tx: Tx, which: Which): Promise<void> {
  const { rows } = await tx.query<{ slug: string }>('select slug from app.brands where id = $1', [
    which.brandId,
  ]);
  const brand = rows[0]?.slug;
  if (brand === undefined) return; // gone meanwhile
  const moved = await movedTooFar(tx, which.brandId, which.now);
  await tell(
    tx,
    which,
    'restatement',
    'net sales of final days stay as they were told',
    moved.length === 0
      ? null
      : {
          cause: moved
            .map(
              ({ day, currency, before, after, percent }) =>
                `net sales of ${day} went from ${before} to ${after} ${currency}${percent === null ? '' : ` (${percent} %)`}`,
            )
            .join('; '),
          hint: `npx nightshift restatements list --brand ${brand} --day ${moved[0]?.day}`,
        },
  );
  const wrong = await wrongSums(tx, which.brandId);
  const [first] = wrong;
  await tell(
    tx,
    which,
    'figures',
    'sums of figures add up',
    first === undefined
      ? null
      : {
          cause: wrong
            .map(
              ({ rollup, days, first, last }) => `${rollup} differs on ${days} days from ${first} to ${last}`,
            )
            .join('; '),
          hint: `npx nightshift rollup run --brand ${brand} --from ${first.first} --to ${first.last} --wait; if it stays, report it as a fault`,
        },
  );
}

async function tell(
  tx: Tx,
  { brandId, now }: Which,
  kind: AlertKind,
  promise: string,
  broken: Broken | null,
): Promise<void> {
  const alert = broken
    ? await raiseAlert(tx, { brandId, kind, promise, ...broken, now })
    : await resolveAlert(tx, { brandId, promise, now });
  if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: broken === null });
}

/** Says whether the day of a night is final, and alerts where that comes too late. */
import { raiseAlert, resolveAlert } from '#sql/alerts/alerts.ts';
import { type Digest, readDigest } from '#sql/nights/digest.ts';
import { keepVerdict, type Night } from '#sql/nights/nights.ts';
import { deliverAlert } from '../deliver_alert.ts';
import { enqueue } from '../enqueue.ts';
import type { Tally, TaskContext } from '../task.ts';

const CAUSES_MAX = 5;

export async function judge({ db, now }: TaskContext, night: Night): Promise<Tally> {
  const { brandId, day, deadlineAt } = night;
  const at = now();
  return db.transaction(async (tx) => {
    const digest = await readDigest(tx, night, at);
    const isFinal = digest.is_final;
    await keepVerdict(tx, night, { isFinal, digest, now: at });
    const promise = `figures of ${day} are final by the deadline of the night`;
    const about = { brandId, promise, now: at };
    const cause = causeOf(digest);
    const hint = `npx nightshift nights show --brand ${digest.brand} --date ${day}`;
    const alert = isFinal
      ? await resolveAlert(tx, about)
      : at >= deadlineAt
        ? await raiseAlert(tx, { ...about, cause, hint })
        : undefined;
    if (alert !== undefined) await enqueue(tx, deliverAlert, { alertId: alert, isResolved: isFinal });
    return {
      step: 'judged',
      day,
      final: isFinal,
      ...(alert !== undefined && { alert }),
      ...(!isFinal && { incomplete: cause }),
    };
  });
}

function causeOf({ sources }: Digest): string {
  const causes = new Set(sources.flatMap(({ state, cause }) => (state === 'final' ? [] : (cause ?? state))));
  return [...causes].slice(0, CAUSES_MAX).join('; ');
}

/** Says whether the day of a night is final, and alerts where that comes too late. */
import { type Digest, isDone, readDigest } from '#sql/nights/digest.ts';
import { keepVerdict, type Night } from '#sql/nights/nights.ts';
import { tellFinal } from '#sql/restatements/final_days.ts';
import { watchFigures } from '../alerts/figure_alerts.ts';
import { queuePing } from '../alerts/send_ping.ts';
import { queueDigest } from '../mail/send_digest.ts';
import type { Tally, TaskContext } from '../task.ts';
import { alertIfDue, keepPromise } from './promise.ts';
import { requestForecast } from './request_forecast.ts';

const CAUSES_MAX = 5;

export async function judge({ db }: TaskContext, night: Night, now: Date): Promise<Tally> {
  return db.transaction(async (tx) => {
    const digest = await readDigest(tx, night, now);
    const isFinal = digest.is_final;
    await keepVerdict(tx, night, { isFinal, digest, now });
    await tellFinal(tx, night.brandId, now);
    const cause = causeOf(digest);
    const alert = isFinal ? await keepPromise(tx, night, now) : await alertIfDue(tx, night, { cause, now });
    await requestForecast(tx, night, digest);
    if (isFinal) await queuePing(tx, night);
    await watchFigures(tx, { brandId: night.brandId, now });
    if (isFinal || now >= night.deadlineAt) await queueDigest(tx, night, now);
    return {
      step: 'judged',
      day: night.day,
      final: isFinal,
      ...(alert !== undefined && { alert }),
      ...(!isFinal && { incomplete: cause }),
    };
  });
}

function causeOf({ sources }: Digest): string {
  const causes = new Set(sources.flatMap(({ state, cause }) => (isDone(state) ? [] : (cause ?? state))));
  return [...causes].slice(0, CAUSES_MAX).join('; ');
}

/** What a run of `nightly` did: one step of its night, which goes on without it. */
import { count } from '../ui/format.ts';

type Step = {
  step: 'syncing' | 'computing' | 'judged' | 'complete';
  day: string;
  waits_for: number;
  final: boolean;
  incomplete: string;
};

/** Undefined for a run that says no step: of another task, or one that failed. */
export function nightStep(tally: Partial<Step> | null | undefined, brand: string | null): string | undefined {
  const { step, day, waits_for: jobs = 0 } = tally ?? {};
  if (day === undefined || brand === null) return undefined;
  const night = `The night of ${day} of ${brand}`;
  const show = `npx nightshift nights show --brand ${brand} --date ${day}`;
  if (step === 'complete')
    return `${night} is complete already, and stays so: nothing was done. To read and compute its data again: npx nightshift sync run --brand ${brand} --wait`;
  if (step === 'syncing' || step === 'computing')
    return `${night} is ${step} and waits for ${count(jobs, 'job')}; a scheduler lets it go on. Follow: ${show}`;
  if (step !== 'judged') return undefined;
  return tally?.final
    ? `${night} is complete: all figures are final. See: ${show}`
    : `${night} is provisional, and is judged again by itself: ${tally?.incomplete}. See: ${show}`;
}

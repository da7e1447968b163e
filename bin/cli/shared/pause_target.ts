import type { PauseRow } from '#sql/queue/pauses.ts';
import { count } from '../ui/format.ts';
import { optionWords } from './options/words.ts';

type Target = Partial<Record<'task' | 'provider' | 'brand' | 'connection', string | null | undefined>>;

/** What a pause is of, as a person reads it: 'sync_stream of acme/shop', or a provider's name alone. */
export function pauseTarget({ task, provider, brand, connection }: Target): string {
  const whose = connection ? `${brand}/${connection}` : (provider ?? brand);
  return [task, whose].filter((one) => one !== null && one !== undefined).join(' of ');
}

/** What ends it. */
export function resumeCommand({ task, provider, brand, connection }: Target): string {
  return `npx nightshift jobs resume ${optionWords({ task, provider, brand, connection })}`;
}

/** What somebody forgot to resume looks like a quiet night. */
export function pauseSaid({ jobs, reason, paused_by, until, ...which }: PauseRow): string {
  const end = until === null ? 'without an end' : `until ${until.toISOString()}`;
  return `${paused_by} paused ${pauseTarget(which)} ${end}: ${reason}; ${count(jobs, 'job')} waiting.`;
}

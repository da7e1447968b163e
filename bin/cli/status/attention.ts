/** The sentences of `status`: what is wrong, what will be wrong, and what to type. */
import { warningsSaid } from '#sql/load/warnings.ts';
import { makingGood, missedSaid } from '#sql/nights/list.ts';
import { promisesOf } from '#sql/snapshots/promises.ts';
import { removeCommand } from '#sql/tenants/removing.ts';
import { pauseSaid, resumeCommand } from '../shared/pause_target.ts';
import { count, span } from '../ui/format.ts';
import type { ConnectionHealth, Findings } from './findings.ts';

const NAMED_MAX = 3;

/** What is wrong now. */
export function attentionOf(findings: Findings): string[] {
  const { workers, jobs, connections, removals, rejected_records, failed_checks, late_schedules } = findings;
  const lines = connections.flatMap(troubleOf);
  for (const { kind, name, brand } of removals)
    lines.push(`The ${kind} ${name} is being removed. Next: ${removeCommand(kind, name, brand)}`);
  lines.push(...behind(connections));
  const work = jobs.waiting + jobs.retrying;
  if (work > 0 && workers.length === 0) lines.push('Jobs wait and no worker runs. Next: npx nightshift up');
  if (jobs.dead > jobs.dead_made_good + jobs.dead_acknowledged)
    lines.push('Jobs are dead. Next: npx nightshift failures list');
  if (late_schedules.schedules > 0)
    lines.push(
      `No scheduler has looked at ${count(late_schedules.schedules, 'schedule')}, the oldest for ${span(late_schedules.oldest_seconds * 1_000)}. Next: npx nightshift up`,
    );
  if (rejected_records > 0) lines.push('Records were rejected; ops.rejected_rows has them with the reason.');
  const causes = connections.map(({ cause }) => cause ?? '').join('\n');
  for (const { brand, connection, check, cause } of failed_checks.filter(
    (one) => !causes.includes(one.cause),
  ))
    lines.push(
      `${connection} fails its check '${check}': ${cause}. Next: npx nightshift sync status --brand ${brand} --checks`,
    );
  for (const state of findings.snapshots)
    for (const { promise, broken } of promisesOf(state))
      if (broken)
        lines.push(
          `${state.brand}: not kept: ${promise}: ${broken.cause.replace(/\.$/, '')}. Next: ${broken.hint}`,
        );
  return lines;
}

/** What will go wrong if nobody acts. */
export function warningsOf(findings: Findings): string[] {
  const { workers, jobs, unscheduled_connections: unscheduled, archiving, fx } = findings;
  const lines = [
    ...pausedLines(findings),
    ...missedLines(findings),
    ...findings.provider_warnings.map(
      ({ brand, connection, warnings }) =>
        `Syncs of ${connection} warn: ${warningsSaid(warnings)}. Next: npx nightshift connections check ${connection} --brand ${brand}`,
    ),
  ];
  if (workers.length === 0 && jobs.waiting + jobs.retrying === 0)
    lines.push('No worker runs: queued jobs will wait. Next: npx nightshift up');
  if (unscheduled > 0)
    lines.push(
      `No schedule syncs ${count(unscheduled, 'connection')}: it is paused, or no scheduler runs. Next: npx nightshift schedules list`,
    );
  if (fx.newest_day !== null && fx.newest_day < fx.expected_day)
    lines.push(
      `Exchange rates end on ${fx.newest_day}; the ECB has published ${fx.expected_day}. Next: npx nightshift fx sync --wait`,
    );
  if (!archiving.isOn && archiving.realConnections > 0)
    lines.push(
      'The write-ahead log is not archived: what came since the last snapshot is lost with the server. Next: npx nightshift doctor',
    );
  return lines;
}

/** Also with an end: figures are not of today until then, and a restore that was killed leaves such a pause. */
function pausedLines({ pauses, more_pauses }: Findings): string[] {
  const shown = pauses.slice(0, NAMED_MAX);
  const more = pauses.length - shown.length + more_pauses;
  return [
    ...shown.map((pause) => `${pauseSaid(pause)} Next: ${resumeCommand(pause)}`),
    ...(more > 0
      ? [`There ${more === 1 ? 'is' : 'are'} ${count(more, 'more pause')}. Next: npx nightshift jobs pauses`]
      : []),
  ];
}

function missedLines({ missed_nights: missed }: Findings): string[] {
  const more = (missed[0]?.total ?? 0) - missed.length;
  return [
    ...missed.map((one) => `${missedSaid(one)}. Next: ${makingGood(one)}`),
    ...(more > 0 ? [`So did nights of ${count(more, 'more brand')}. Next: npx nightshift nights list`] : []),
  ];
}

function troubleOf({ brand, connection, state, cause }: ConnectionHealth): string[] {
  const name = `${connection} --brand ${brand}`;
  const why = (cause ?? 'no reason is recorded').replace(/\.$/, ''); // often a sentence of its own
  if (state === 'held')
    return [`${connection} is held: ${why}. Next: npx nightshift connections check ${name}`];
  if (state === 'failing')
    return [`${connection} fails: ${why}. Next: npx nightshift sync status --brand ${brand}`];
  return state === 'partial'
    ? [`${connection} is not complete: ${why}. Next: npx nightshift sync status --brand ${brand}`]
    : [];
}

/** A line for each brand with streams that are late or were never read, however many connections it has. */
function behind(connections: readonly ConnectionHealth[]): string[] {
  const free = connections.filter(({ state }) => state !== 'held' && state !== 'removing');
  const brands = [...new Set(free.map(({ brand }) => brand))];
  return brands.flatMap((brand) => {
    const ours = free.filter((one) => one.brand === brand);
    const late = ours.filter(({ late_streams }) => late_streams.length > 0);
    const never = ours.filter(({ never_read_streams }) => never_read_streams.length > 0);
    const most = Math.max(...late.map(({ late_by_seconds }) => late_by_seconds ?? 0));
    return [
      ...(late.length === 0
        ? []
        : [`${brand}: ${named(late)} late by up to ${span(most * 1000)}. ${nextFor(late)}`]),
      ...(never.length === 0 ? [] : [`${brand}: ${named(never)} not read to the end yet. ${nextFor(never)}`]),
    ];
  });
}

function named(connections: readonly ConnectionHealth[]): string {
  const some = connections.slice(0, NAMED_MAX).map(({ connection }) => connection);
  const more = connections.length - some.length;
  const all = more === 0 ? some.join(', ') : `${some.join(', ')} and ${count(more, 'other')}`;
  return `${all} ${connections.length === 1 ? 'is' : 'are'}`;
}

function nextFor(connections: readonly ConnectionHealth[]): string {
  const [first] = connections;
  if (connections.every(({ is_syncing }) => is_syncing)) return 'A sync runs: npx nightshift jobs list';
  return `Next: npx nightshift sync run --brand ${first?.brand}`;
}

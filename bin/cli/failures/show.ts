/** `failures show` */
import type { Command } from 'commander';
import { type Example, type FailurePage, readFailure, SHOWN_MAX } from '#sql/triage/failures.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { count, grouped } from '../ui/format.ts';
import { instant } from '../ui/output.ts';
import { groupArgument } from './group_argument.ts';

export function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description('show a group: where it fails, the jobs that bear it, its latest run, and what to do')
    .addArgument(groupArgument())
    .action(async (id: string) => {
      await using session = await openSession(cli);
      const page = await readFailure(session.db, id);
      cli.out.record(page, () => linesOf(page));
    });
}

function linesOf(page: FailurePage): string[] {
  const { id, state, brand, task, error_code, message, frame, failures, first_at, last_at, owner, note } =
    page;
  return [
    `failure ${id}  ${task} of ${brand ?? 'the platform'}  ${state}`,
    `  ${error_code}: ${message}`,
    ...(frame === '' ? [] : [`  in ${frame}`]),
    `  ${count(failures, 'failure')}, first ${instant(first_at)}, last ${instant(last_at)}`,
    ...whereLines(page),
    ...jobLines(page),
    ...(owner === null ? [] : [`  ${owner} sees to it`]),
    ...(note === null ? [] : [`  note: ${note}`]),
    ...acknowledgedLines(page),
    ...(page.example ? exampleLines(page.example) : ['  the record of its last run is gone']),
    ...nextLines(page),
  ];
}

function whereLines({ where, connections }: FailurePage): string[] {
  const named = where.map(
    ({ connection, failures }) => `${connection ?? 'one that is gone'} (${grouped(failures)})`,
  );
  const more = connections - Math.min(connections, SHOWN_MAX);
  return named.length === 0
    ? []
    : [`  connections: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`];
}

function jobLines({ jobs, dead, held, trying }: FailurePage): string[] {
  if (jobs.length === 0) return ['  no job on the queue bears it'];
  const more = dead + held + trying - jobs.length;
  return [
    `  on the queue: ${dead} dead, ${held} held, ${trying} to be tried again`,
    ...jobs.map(
      ({ job_id, state, connection }) => `    job ${job_id}  ${state}${connection ? `  ${connection}` : ''}`,
    ),
    ...(more > 0 ? [`    and ${grouped(more)} more`] : []),
  ];
}

function acknowledgedLines({
  acknowledged_by,
  acknowledged_at,
  until,
  more_than,
  reopened_because,
}: FailurePage) {
  if (acknowledged_at === null || until === null) return [];
  const limit = more_than === null ? '' : `, or more than ${count(more_than, 'further failure')}`;
  return [
    `  acknowledged by ${acknowledged_by} at ${instant(acknowledged_at)} until ${instant(until)}${limit}`,
    ...(reopened_because === null ? [] : [`  open again: ${reopened_because}`]),
  ];
}

function exampleLines({ job_id, attempt, finished_at, host, error_message, error_hint }: Example): string[] {
  const at = finished_at === null ? '' : ` at ${instant(finished_at)}`;
  return [
    `  the latest: attempt ${attempt} of job ${job_id}${at}${host === null ? '' : ` on ${host}`}`,
    ...(error_message === null ? [] : [`    ${error_message}`]),
    ...(error_hint === null ? [] : [`  next: ${error_hint}`]),
  ];
}

function nextLines({ id, dead, state }: FailurePage): string[] {
  return [
    ...(dead > 0 ? [`  then: npx nightshift failures retry ${id}, or failures discard ${id}`] : []),
    ...(state === 'open' ? [`  or: npx nightshift failures ack ${id}, failures take ${id}`] : []),
  ];
}

import { providers } from '#connectors/providers.ts';
import { exitCodes } from '#runtime/exit_codes.ts';
import type { PauseRow } from '#sql/queue/pauses.ts';
import type { SnapshotState } from '#sql/snapshots/promises.ts';
import type { Noun } from '../shared/noun.ts';
import { pauseTarget } from '../shared/pause_target.ts';
import { openSession } from '../shared/session.ts';
import { ago, count, grouped, span } from '../ui/format.ts';
import { green, instant, red, yellow } from '../ui/output.ts';
import type { ConnectionHealth } from './findings.ts';
import { type Health, readHealth } from './health.ts';

export const noun: Noun = (command, cli) => {
  command
    .description('show database, workers, queue, connections and days to recompute on one screen')
    .option(
      '--url',
      'print only the address of the database, with its password: psql "$(npx nightshift status --url)"',
    )
    .action(async ({ url }: { url?: boolean }) => {
      await using session = await openSession(cli, { anySchema: true });
      if (url) return cli.out.record({ url: session.url }, () => [session.url]);
      const health = await readHealth(session);
      cli.out.record(health, () => screen(health));
      if (health.attention.length > 0) cli.exitCode = exitCodes.failed;
      else if (health.warnings.length > 0) cli.exitCode = exitCodes.partial;
    });
};

function screen({
  database,
  workers,
  crashes_last_day,
  jobs,
  pauses,
  more_pauses,
  connections,
  dirty_days,
  snapshots,
  attention,
  warnings,
  well,
}: Health): string[] {
  const { waiting, running, retrying, held, paused, dead, dead_made_good } = jobs;
  const madeGood = dead_made_good > 0 ? ` (${dead_made_good} made good by a later run)` : '';
  const behind = jobs.oldest_seconds > 1 ? `, the oldest for ${span(jobs.oldest_seconds * 1000)}` : '';
  const objects = dirty_days.objects > 0 ? ` and ${count(dirty_days.objects, 'object')}` : '';
  const ofBrands = dirty_days.of_brands > 0 ? `, ${dirty_days.of_brands} of them of a whole brand` : '';
  const marked =
    dirty_days.oldest_seconds > 1 ? `, the oldest for ${span(dirty_days.oldest_seconds * 1000)}` : '';
  return [
    `database     ${database.place}  PostgreSQL ${database.version}${database.embedded ? ', embedded' : ''}`,
    `workers      ${workers.length} alive, ${count(crashes_last_day, 'crash', 'crashes')} in the last day`,
    `jobs         ${waiting} waiting${behind}; ${running} running, ${retrying} retrying, ${held} held, ${paused > 0 ? `${paused} paused, ` : ''}${dead} dead${madeGood}`,
    ...pauses.map(pauseLine),
    ...(more_pauses > 0 ? [`             and ${grouped(more_pauses)} more: npx nightshift jobs pauses`] : []),
    `days         ${dirty_days.days}${objects} to recompute${ofBrands}${marked}`,
    ...snapshotLines(snapshots),
    `connections  ${connections.length}`,
    ...connections.map((one) => connectionLine(one, widest(connections))),
    ...attention.map((line) => red(`! ${line}`)),
    ...warnings.map((line) => yellow(`! ${line}`)),
    ...(well ? [green('All is well.')] : []),
  ];
}

/** The brands whose proof is oldest. */
function snapshotLines(states: readonly SnapshotState[]): string[] {
  const made = states.filter(({ snapshotAt }) => snapshotAt !== null);
  const age = (at: Date | null) => (at === null ? 'never' : ago((Date.now() - at.getTime()) / 1_000));
  const oldest = made.toSorted((a, b) => Number(a.provenAt ?? 0) - Number(b.provenAt ?? 0));
  return oldest
    .slice(0, SNAPSHOTS_SHOWN)
    .map(
      ({ brand, snapshotAt, provenAt, provenLevel, recoverySeconds }, at) =>
        `${at === 0 ? 'snapshots  ' : '           '}  ${brand}: last ${age(snapshotAt)}, proved ${age(provenAt)}${provenLevel === null ? '' : ` at level ${provenLevel}`}${recoverySeconds === null ? '' : `, restored in ${recoverySeconds} s`}`,
    );
}

const SNAPSHOTS_SHOWN = 3;

function pauseLine(pause: PauseRow): string {
  const { paused_by, until, reason } = pause;
  return `  paused     ${pauseTarget(pause)} by ${paused_by}${until ? ` until ${instant(until)}` : ''}: ${reason}`;
}

const colours: Record<string, (text: string) => string> = {
  ok: green,
  failing: red,
  held: red,
  removing: red,
  partial: yellow,
  late: red,
  never: yellow,
};

function connectionLine(
  { brand, connection, provider, state, lag_seconds }: ConnectionHealth,
  width: number,
): string {
  const lag = lag_seconds === null ? '' : `  last complete ${ago(lag_seconds)}`;
  const shown = (colours[state] ?? ((text: string) => text))(state.padEnd(STATE_WIDTH));
  return `  ${`${brand}/${connection}`.padEnd(width)}  ${provider.padEnd(PROVIDER_WIDTH)}  ${shown}${lag}`.trimEnd();
}

const STATE_WIDTH = 'removing'.length;
const PROVIDER_WIDTH = Math.max(...providers.map(({ name }) => name.length));

function widest(connections: readonly ConnectionHealth[]): number {
  return Math.max(...connections.map(({ brand, connection }) => brand.length + connection.length + 1));
}

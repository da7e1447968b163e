import { type ExitCode, exitCodes } from '#runtime/exit_codes.ts';
import { DatabaseUnreachable } from '#sql/db/faults.ts';
import { assertSchema } from '#sql/db/migrate.ts';
import type { Noun } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { count } from '../ui/format.ts';
import { green, red, yellow } from '../ui/output.ts';
import { archiving } from './archiving.ts';
import { type Result, runChecks, type Severity } from './check.ts';
import { alerts, missed, nights, schedules } from './clockwork.ts';
import { held, keys, sealing, tokens, warned } from './connections.ts';
import { deliveries } from './deliveries.ts';
import { closed, sums } from './figures.ts';
import { gaps } from './gaps.ts';
import { unused } from './indexes.ts';
import { mail } from './mail.ts';
import { privacy } from './privacy.ts';
import { dead, pauses, quarantine, staleLocks, waiting } from './queue.ts';
import { retirements } from './retirements.ts';
import { invalid, schema } from './schema.ts';
import { clock, disk, jit, room, sessions, settings, version } from './server.ts';
import { snapshots } from './snapshots/promises.ts';
import { restored } from './snapshots/restored.ts';
import { snapshotStore } from './snapshots/store.ts';
import { bloat, transactionIds, transactions } from './tables.ts';
import { zones } from './zones.ts';

const CHECKS = [
  ...[version, settings, sessions, jit, room, clock, disk, zones],
  ...[schema, invalid, unused, transactions, transactionIds, bloat, archiving, snapshots, snapshotStore],
  ...[waiting, dead, pauses, staleLocks, quarantine],
  ...[schedules, nights, missed, alerts],
  ...[held, warned, keys, tokens, sealing, retirements],
  ...[privacy, restored, deliveries, mail, sums, closed, gaps],
];

export const noun: Noun = (command, cli) => {
  command
    .description(
      'examine server, schema, queue, schedules and connections; each finding comes with its evidence and the command that fixes it',
    )
    .option(
      '--connections',
      'also ask each provider whether the key of each connection works, and whether it delivers what it should',
    )
    .action(async ({ connections = false }: { connections?: boolean }) => {
      await using session = await openSession(cli, { anySchema: true });
      const schemaFits = await fits(session);
      const results = await runChecks(CHECKS, session, { schemaFits, asksProviders: connections });
      const [failures, warnings] = [numberOf(results, 'failure'), numberOf(results, 'warning')];
      cli.out.record({ well: failures + warnings === 0, failures, warnings, checks: results }, () => [
        ...results.flatMap(linesOf),
        summaryOf(results),
      ]);
      cli.exitCode = exitCodeOf(results);
    });
};

/** It vouches for what it has examined, and not for the data. */
export function summaryOf(results: readonly Pick<Result, 'check' | 'severity'>[]): string {
  const [failures, warnings] = [numberOf(results, 'failure'), numberOf(results, 'warning')];
  if (failures + warnings > 0) return `${count(failures, 'failure')}, ${count(warnings, 'warning')}.`;
  const checks = new Set(results.map(({ check }) => check)).size;
  return `${green(`${count(checks, 'check')} of the installation found nothing wrong.`)} How the data stand: npx nightshift status`;
}

function numberOf(results: readonly Pick<Result, 'severity'>[], severity: Severity): number {
  return results.filter((one) => one.severity === severity).length;
}

export function exitCodeOf(results: readonly Pick<Result, 'severity'>[]): ExitCode {
  if (numberOf(results, 'failure') > 0) return exitCodes.failed;
  return numberOf(results, 'warning') > 0 ? exitCodes.partial : exitCodes.ok;
}

/** Why it does not, the check of the schema says. Where no database answers nothing can be examined. */
function fits({ db }: Session): Promise<boolean> {
  return assertSchema(db).then(
    () => true,
    (error) => {
      if (error instanceof DatabaseUnreachable) throw error;
      return false;
    },
  );
}

const COLOURS = { ok: green, warning: yellow, failure: red };
const SEVERITY_WIDTH = 'warning'.length;

function linesOf({ check, severity, evidence, mend }: Result): string[] {
  return [
    `${COLOURS[severity](severity.padEnd(SEVERITY_WIDTH))}  ${check}: ${evidence}`,
    ...(mend === undefined ? [] : [`${' '.repeat(SEVERITY_WIDTH)}  next: ${mend}`]),
  ];
}

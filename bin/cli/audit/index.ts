import { actions } from '#sql/tenants/audit.ts';
import { type AuditFilter, type AuditRow, readAudit } from '#sql/tenants/audit_log.ts';
import type { Noun } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { exactInstant } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';

const ROWS_MAX = 200;
const LIST_MAX = 10;
const COLUMNS = ['at', 'actor', 'action', 'brand', 'target', 'before', 'after', 'details'];

export const noun: Noun = (command, cli) => {
  command
    .description(
      `what operators did, with the values before and after, latest first (at most ${ROWS_MAX}): who did it, when and to what`,
    )
    .option('--brand <brand>', 'of this brand; one that was removed is found too')
    .option('--actor <account>', 'only what this account did')
    .option(
      '--action <noun.verb>',
      'only this action, such as connections.hold; a noun alone: all of its actions',
    )
    .option('--since <instant>', 'from this instant on', exactInstant)
    .option('--until <instant>', 'before this instant', exactInstant)
    .option('--text <text>', 'only rows that contain this text (case-insensitive)')
    .action(async (filter: AuditFilter) => {
      await using session = await openSession(cli);
      const { rows, next, stoppedAt } = await readAudit(session.db, filter, ROWS_MAX);
      if (rows.length === 0 && filter.action !== undefined) assertAction(filter.action);
      cli.out.list(cli.out.json ? rows : rows.map(shortened), COLUMNS);
      if (next) cli.out.say(`There are more. Earlier ones: add --until ${next}`);
      if (stoppedAt)
        cli.out.say(`Earlier rows were not looked at: to look further back, add --until ${stoppedAt}`);
    });
};

/** What an earlier version did is in the log under the name of then, so only what is not found is refused. */
function assertAction(action: string): void {
  if (actions.some((one) => one === action || one.startsWith(`${action}.`))) return;
  const [noun = ''] = action.split('.');
  const ofNoun = actions.filter((one) => one.startsWith(`${noun}.`));
  const nouns = new Set(actions.map((one) => one.split('.')[0]));
  throw new UsageError(
    `There is no action ${action}.`,
    ofNoun.length > 0
      ? `one of ${ofNoun.join(', ')}`
      : `an action such as connections.hold, or one of ${[...nouns].join(', ')}`,
  );
}

/** A row may name a thousand jobs; JSON has them all. */
function shortened({ details, ...row }: AuditRow): AuditRow {
  const short = Object.entries(details).map(([key, value]) => [
    key,
    Array.isArray(value) && value.length > LIST_MAX
      ? [...value.slice(0, LIST_MAX), `and ${value.length - LIST_MAX} more`]
      : value,
  ]);
  return { ...row, details: Object.fromEntries(short) };
}

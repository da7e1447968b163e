import { type AuditFilter, readAudit } from '#sql/tenants/audit_log.ts';
import type { Noun } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { isoInstant } from '../ui/arguments.ts';

const ROWS_MAX = 200;
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
    .option('--since <instant>', 'from this instant on', isoInstant)
    .option('--until <instant>', 'before this instant', isoInstant)
    .option('--text <text>', 'only rows in which this stands')
    .action(async (filter: AuditFilter) => {
      await using session = await openSession(cli);
      const found = await readAudit(session.db, filter, ROWS_MAX + 1);
      const rows = found.slice(0, ROWS_MAX);
      cli.out.list(rows, COLUMNS);
      const oldest = rows.at(-1);
      if (found.length > ROWS_MAX && oldest)
        cli.out.say(`There are more. Earlier ones: add --until ${oldest.at.toISOString()}`);
    });
};

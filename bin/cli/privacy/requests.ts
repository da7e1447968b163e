/** `privacy requests` */
import type { Command } from 'commander';
import { listRequests, type StoredRequest } from '#sql/privacy/requests.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';

const LISTED_MAX = 200;
const DAY_MS = 24 * 60 * 60_000;
const COLUMNS = [
  'id',
  'brand',
  'connection',
  'kind',
  'source',
  'state',
  'requested_at',
  'due_at',
  'days_left',
];

export function addRequests(command: Command, cli: Cli): void {
  command
    .command('requests')
    .description('requests of persons, the most urgent first')
    .option('--brand <brand>', 'only those of this brand')
    .option('--open', 'only those that are not done')
    .action((options: { brand?: string; open?: boolean }) => requests(cli, options));
}

async function requests(
  cli: Cli,
  { brand, open = false }: { brand?: string; open?: boolean },
): Promise<void> {
  await using session = await openSession(cli);
  const brandId = brand === undefined ? null : (await findBrand(session.db, brand)).id;
  const found = await listRequests(session.db, { brandId, isOpen: open, max: LISTED_MAX });
  cli.out.list(found.map(shownRequest), COLUMNS);
}

export function shownRequest(request: StoredRequest) {
  const { id, brand, connection, kind, source, subject, requestedAt, dueAt, doneAt, doneBy } = request;
  return {
    ...{ id, brand, connection, kind, source, state: stateOf(request), subject },
    ...{ requested_at: requestedAt, due_at: dueAt, done_at: doneAt, done_by: doneBy },
    days_left: doneAt === null ? Math.floor((dueAt.getTime() - Date.now()) / DAY_MS) : null,
  };
}

/** An export waits for an operator, because it is handed to a person. */
export function stateOf({ kind, doneAt, progress, proof }: StoredRequest): string {
  if (doneAt !== null) return 'done';
  if (progress?.foreign !== undefined)
    return `of ${progress.foreign}, which the brand has not: waits for an operator`;
  if (kind === 'export') return 'waits for an operator';
  if (proof !== null && Object.keys(proof.found).length > 0) return 'repeated: something was left';
  return progress === null ? 'queued' : 'under way';
}

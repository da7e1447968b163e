/** `snapshots list` */
import type { Command } from 'commander';
import type { Reader } from '#sql/db/reader.ts';
import { listSnapshots, type Snapshot } from '#sql/snapshots/catalogue.ts';
import { type Planned, planSnapshots } from '#sql/snapshots/retention.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import type { Row } from '../ui/output.ts';

const SNAPSHOTS_MAX = 1_000;
const COLUMNS = [
  ...['snapshot', 'brand', 'scope', 'state', 'created_at', 'rows', 'parts', 'stored_bytes', 'new_bytes'],
  ...['verified_level', 'verified_at', 'expires_at'],
];

export function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description(`list the latest snapshots (at most ${SNAPSHOTS_MAX})`)
    .option('--brand <brand>', 'only snapshots of this brand')
    .action(async ({ brand }: { brand?: string }) => {
      await using session = await openSession(cli);
      const brandId = brand === undefined ? undefined : (await findBrand(session.db, brand)).id;
      const found = await listSnapshots(session.db, { brandId, max: SNAPSHOTS_MAX });
      const plan = await planById(session.db, brandId);
      cli.out.list(
        found.map((one) => rowOf(one, plan)),
        COLUMNS,
      );
    });
}

/** What keeps each, now. */
export async function planById(db: Reader, brandId?: string): Promise<ReadonlyMap<string, Planned>> {
  const plan = await planSnapshots(db, { brandId, now: new Date() });
  return new Map(plan.map((one) => [one.id, one]));
}

/** As people and `bi.snapshots` name its fields. */
export function rowOf(snapshot: Snapshot, plan: ReadonlyMap<string, Planned>): Row {
  const planned = plan.get(snapshot.id);
  const { id, createdAt, completedAt, storedBytes, newBytes, newParts, verifiedLevel, verifiedAt } = snapshot;
  const { brand, scope, state, rows, bytes, parts, lsn, serverVersion, schemaVersion } = snapshot;
  return {
    ...{ snapshot: id, brand, scope, state, created_at: createdAt, completed_at: completedAt },
    ...{ rows, bytes, stored_bytes: storedBytes, parts, new_parts: newParts, new_bytes: newBytes },
    ...{ verified_level: verifiedLevel, verified_at: verifiedAt },
    ...{ expires_at: planned?.expiresAt ?? null, kept_by: planned?.rules.join(', ') ?? null },
    ...{ pinned_at: snapshot.pinnedAt, pinned_reason: snapshot.pinnedReason },
    ...{ damage: snapshot.damage, store: snapshot.store, lsn, server_version: serverVersion },
    ...{
      schema_version: schemaVersion,
      previous: snapshot.previousId,
      manifest_sha256: snapshot.manifestSha256,
    },
  };
}

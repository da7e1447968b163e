/** `snapshots sync` and `snapshots rekey` */
import type { Command } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import { listSnapshots, moveSnapshots, type Snapshot } from '#sql/snapshots/catalogue.ts';
import { noteMissingParts } from '#sql/snapshots/missing.ts';
import { alone, lockAlone } from '#sql/snapshots/moment.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { adoptManifests } from '#tasks/snapshots/adopt.ts';
import { resealDataKey } from '#tasks/snapshots/data_key.ts';
import { fileOf, keysIn, manifestsIn, type Store, sizesIn } from '#tasks/snapshots/store.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import { count } from '../ui/format.ts';

export function addSync(command: Command, cli: Cli): void {
  command
    .command('sync')
    .description(
      'take in what the store has and this database does not know, and say what it should have and has not',
    )
    .action(() => sync(cli));
}

const MISSING = 'missing in the store';

async function sync(cli: Cli): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  const { store, sealer } = await openSnapshots(cli, session);
  const rows = [];
  const brands = new Set([
    ...(await store.brands()),
    ...(await listSnapshots(db)).map(({ brandId }) => brandId),
  ]);
  for (const brandId of brands) {
    const { taken: adopted, damages } = await adoptManifests({ db, store, sealer, brandId });
    const there = new Set(await manifestsIn(store, brandId));
    const listed = await listSnapshots(db, { brandId });
    const missing = listed.filter(({ id }) => !there.has(id));
    const moved = listed.filter((one) => there.has(one.id) && one.store !== store.place);
    rows.push(
      ...adopted.map(({ id, brand, created_at }) => ({ snapshot: id, brand, created_at, found: 'taken in' })),
    );
    const say = (found: string) => (one: Snapshot) => ({
      snapshot: one.id,
      brand: one.brand,
      created_at: one.createdAt.toISOString(),
      found,
    });
    rows.push(...moved.map(say('moved here')), ...missing.map(say(MISSING)));
    if (adopted.length + moved.length > 0) {
      const details = { snapshots: adopted.length, moved: moved.length };
      await db.transaction(async (tx) => {
        await moveSnapshots(tx, { brandId, ids: moved.map(({ id }) => id), store: store.place });
        await recordAction(tx, { action: 'snapshots.sync', brandId, target: store.place, details });
      });
    }
    const lacking = await lackingParts(session, store, brandId);
    rows.push(...listed.filter(({ id }) => there.has(id) && lacking.has(id)).map(say('lacks files')));
    for (const damage of damages) cli.out.say(damage);
    if (missing.length + lacking.size + damages.length > 0) cli.exitCode = exitCodes.partial;
  }
  cli.out.list(rows, ['snapshot', 'brand', 'created_at', 'found']);
  if (rows.length === 0 && cli.exitCode === exitCodes.ok)
    cli.out.say(`This database knows each snapshot in ${store.place}, and each one that it knows is there.`);
  if (rows.some(({ found }) => found === MISSING))
    cli.out.say(
      `Bring back what ${store.place} has lost, or name the right store: NIGHTSHIFT_SNAPSHOT_DIR, NIGHTSHIFT_SNAPSHOT_STORE.`,
    );
}

/** While nobody else puts parts, or removes some. */
async function lackingParts({ db }: Session, store: Store, brandId: string): Promise<ReadonlySet<string>> {
  const ids = await alone(db, brandId, async (prove) => {
    const sizes = await sizesIn(store, fileOf.parts(brandId));
    const files = new Map([...sizes].map(([name, bytes]) => [name.slice(brandId.length + 1), bytes]));
    await prove();
    return db.transaction((tx) => noteMissingParts(tx, { brandId, store: store.place, files }));
  });
  return new Set(ids);
}

export function addRekey(command: Command, cli: Cli): void {
  command
    .command('rekey')
    .description(
      'seal the keys of all snapshots with the first key of NIGHTSHIFT_SECRET_KEYS; no other file changes',
    )
    .action(() => rekey(cli));
}

async function rekey(cli: Cli): Promise<void> {
  await using session = await openSession(cli);
  const { store, sealer } = await openSnapshots(cli, session);
  let resealed = 0;
  for (const brandId of await store.brands())
    for (const id of await keysIn(store, brandId))
      await session.db.transaction(async (tx) => {
        await lockAlone(tx, brandId);
        if (await resealDataKey(store, sealer, { brandId, id })) resealed++;
      });
  await store.settle();
  const after = { keyId: sealer.keyId, keys: resealed };
  await session.db.transaction((tx) =>
    recordAction(tx, { action: 'snapshots.rekey', target: store.place, after }),
  );
  cli.out.record({ key_id: sealer.keyId, resealed }, () => [
    `${count(resealed, 'key')} of snapshots sealed anew with ${sealer.keyId}`,
  ]);
}

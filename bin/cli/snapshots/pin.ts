/** `snapshots pin` and `snapshots unpin` */
import type { Command } from 'commander';
import { coded } from '#runtime/errors.ts';
import { findSnapshot, type Snapshot } from '#sql/snapshots/catalogue.ts';
import { pin, planSnapshots, unpin } from '#sql/snapshots/retention.ts';
import { currentAccount } from '#sql/tenants/audit.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { title } from '../ui/arguments.ts';
import { instant } from '../ui/output.ts';

export class SnapshotPinned extends coded('NS_SNAPSHOT_PINNED') {
  constructor({ id, brand }: Snapshot, state: string) {
    super(`Snapshot ${id} of ${brand} is ${state}.`, {
      hint: `npx nightshift snapshots show ${id}`,
      context: { snapshot: id },
    });
  }
}

export function addPin(command: Command, cli: Cli): void {
  command
    .command('pin')
    .description('keep a snapshot, whatever the rules of its brand say but that of erased persons')
    .argument('<id>', 'id of the snapshot, or the beginning of it')
    .requiredOption('--reason <text>', 'what it is kept for', title)
    .action(async (wanted: string, { reason }: { reason: string }) => {
      await using session = await openSession(cli);
      const snapshot = await findSnapshot(session.db, wanted);
      const given = { ...snapshot, actor: currentAccount(), reason };
      if (!(await session.db.transaction((tx) => pin(tx, given))))
        throw new SnapshotPinned(snapshot, 'pinned already, or gone');
      say(cli, snapshot, { state: 'pinned', reason });
      await sayErased(cli, session, snapshot);
    });
}

export function addUnpin(command: Command, cli: Cli): void {
  command
    .command('unpin')
    .description('leave a snapshot to the rules of its brand again')
    .argument('<id>', 'id of the snapshot, or the beginning of it')
    .action(async (wanted: string) => {
      await using session = await openSession(cli);
      const snapshot = await findSnapshot(session.db, wanted);
      const given = { ...snapshot, actor: currentAccount() };
      if (!(await session.db.transaction((tx) => unpin(tx, given))))
        throw new SnapshotPinned(snapshot, 'not pinned');
      say(cli, snapshot, { state: 'not pinned' });
    });
}

/** A pin does not keep a person who was erased. */
async function sayErased(cli: Cli, { db }: Session, { brandId, id }: Snapshot): Promise<void> {
  const planned = (await planSnapshots(db, { brandId, now: new Date() })).find((one) => one.id === id);
  if (planned === undefined || planned.expiresAt === null) return;
  cli.out.say(
    `It holds a person who was erased since, so it expires on ${instant(planned.expiresAt).slice(0, 10)} all the same.`,
  );
}

function say(cli: Cli, { id, brand }: Snapshot, { state, reason }: { state: string; reason?: string }): void {
  cli.out.record({ snapshot: id, brand, state, reason }, () => [`Snapshot ${id} of ${brand} is ${state}.`]);
}

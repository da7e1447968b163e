/** `snapshots pin` and `snapshots unpin` */
import type { Command } from 'commander';
import { coded } from '#runtime/errors.ts';
import { findSnapshot, type Snapshot } from '#sql/snapshots/catalogue.ts';
import { pin, unpin } from '#sql/snapshots/retention.ts';
import { currentAccount } from '#sql/tenants/audit.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { title } from '../ui/arguments.ts';

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
    .description('keep a snapshot, whatever the rules of its brand say')
    .argument('<id>', 'id of the snapshot, or the beginning of it')
    .requiredOption('--reason <text>', 'what it is kept for', title)
    .action(async (wanted: string, { reason }: { reason: string }) => {
      await using session = await openSession(cli);
      const snapshot = await findSnapshot(session.db, wanted);
      const given = { ...snapshot, actor: currentAccount(), reason };
      if (!(await session.db.transaction((tx) => pin(tx, given))))
        throw new SnapshotPinned(snapshot, 'pinned already, or gone');
      say(cli, snapshot, { state: 'pinned', reason });
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

function say(cli: Cli, { id, brand }: Snapshot, { state, reason }: { state: string; reason?: string }): void {
  cli.out.record({ snapshot: id, brand, state, reason }, () => [`Snapshot ${id} of ${brand} is ${state}.`]);
}

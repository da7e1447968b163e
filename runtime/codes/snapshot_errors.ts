/** Errors of snapshots and their stores. */
import type { Entry } from '../error_entry.ts';

export const snapshotErrors = {
  NS_RESTORE_REFUSED: {
    exit: 'conflict',
    when: 'a snapshot must not be restored so, such as one of a person who was erased since and is not known any more',
    next: 'see what the message names: [restore](operations.md#restore)',
  },
  NS_SNAPSHOT_AMBIGUOUS: {
    exit: 'usage',
    when: 'several snapshots have an id that begins so',
    next: 'give more of the id',
  },
  NS_SNAPSHOT_BUSY: {
    verdict: 'retry',
    exit: 'conflict',
    when: 'another process makes a snapshot of the brand, or removes files of its snapshots; the message says which',
    next: 'nothing: a job is tried again; a command is given again once that has ended',
  },
  NS_SNAPSHOT_DAMAGED: {
    when: 'a file of a snapshot is missing, cut, exchanged or changed, or its key does not open it',
    next: 'bring the file back from a copy of the store, or make another snapshot: `snapshots create`',
  },
  NS_SNAPSHOT_DATABASE: {
    when: 'a snapshot was to be restored into a database of its own, and the account must not make one',
    next: '`alter role NAME createdb`, or name another server: `--server`, `NIGHTSHIFT_DRILL_URL`',
  },
  NS_SNAPSHOT_FIGURES: {
    when: 'figures of a snapshot are not what its own rows give; each cell is named',
    next: '`rollup run` computes these days again; if they differ again, report it as a fault',
  },
  NS_SNAPSHOT_KEYS: {
    when: 'a key is not in `NIGHTSHIFT_SECRET_KEYS`, or is another one than that of its name, so that it opens nothing it should: no data key of a snapshot and no secret of the brand; nothing is said of the snapshots',
    next: 'bring the key that sealed them back into `NIGHTSHIFT_SECRET_KEYS`',
  },
  NS_SNAPSHOT_NOT_FOUND: {
    exit: 'notFound',
    when: 'there is no such snapshot',
    next: '`snapshots list`; `snapshots sync` reads what a store has',
  },
  NS_SNAPSHOT_OTHER_SCHEMA: {
    exit: 'conflict',
    when: 'a snapshot has other tables or columns than this database',
    next: 'restore it with the version that made it, then `migrate`; or take a later snapshot',
  },
  NS_SNAPSHOT_PINNED: {
    exit: 'conflict',
    when: 'a snapshot is pinned already, or is not',
    next: '`snapshots show ID` says since when and why',
  },
  NS_SNAPSHOT_STORE: {
    verdict: 'retry',
    when: 'the store of snapshots cannot be read or written, such as a full disk, or has nothing of the snapshot and no other of its brand',
    next: 'see what the message names: [snapshots](operations.md#snapshots)',
  },
  NS_SNAPSHOT_TOO_LONG: {
    verdict: 'retry',
    when: 'a snapshot took longer than its transaction may last; what it wrote is used by the next',
    next: 'set `NIGHTSHIFT_SNAPSHOT_MINUTES` higher',
  },
} as const satisfies Record<string, Entry>;

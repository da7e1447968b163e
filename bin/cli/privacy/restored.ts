/** Schemas and databases that a snapshot was restored into: no erasure reaches them. */
import { type Copy, dropStatement } from '#sql/snapshots/holding.ts';
import type { Cli } from '../shared/noun.ts';
import { instant } from '../ui/output.ts';

export function shownCopy(copy: Copy) {
  const { kind, name, brand, restoredAt } = copy;
  return { kind, name, brand, restored_at: restoredAt, drop: dropStatement(copy) };
}

export function sayCopies(cli: Cli, copies: readonly Copy[]): void {
  for (const copy of copies) {
    const { kind, name, brand, restoredAt } = copy;
    const of = brand === null ? '' : ` of ${brand}`;
    const since = restoredAt === null ? '' : `, restored at ${instant(restoredAt)}`;
    cli.out.say(
      `${kind === 'schema' ? 'Schema' : 'Database'} ${name} has rows of a snapshot${of}${since}. No erasure reaches it, and it may hold the person until it is dropped, in psql: ${dropStatement(copy)}`,
    );
  }
}

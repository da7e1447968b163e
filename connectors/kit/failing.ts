/** The checks of a stream that fail by their newest result, each with when it last passed or was first made. */
import { failingSince } from '#sql/load/checks.ts';
import type { Check, StreamContext } from './stream.ts';

export type Failing = ReadonlyMap<string, Date>;

/**
 * A failed check keeps its stream from being complete until one of the same name passes. So whoever makes checks judges
 * those that fail in each run, even if nothing is left of what they compared.
 */
export function failingChecks(
  { db, connection: { brandId, id: connectionId } }: Pick<StreamContext, 'db' | 'connection'>,
  stream: string,
): Promise<Failing> {
  return failingSince(db, { brandId, connectionId, stream });
}

/** Ends a failed check that has nothing to compare any more. */
export function overCheck(name: string, reason: string): Check {
  return { name, expected: '0', found: '0', ok: true, cause: `nothing to check any more: ${reason}` };
}

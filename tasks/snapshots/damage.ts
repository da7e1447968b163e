/** What is wrong with a snapshot, in words that name the file. */
import { coded, messageOf, NightshiftError } from '#runtime/errors.ts';

export class SnapshotDamaged extends coded('NS_SNAPSHOT_DAMAGED') {
  constructor(what: string, context: Record<string, unknown> = {}, cause?: unknown) {
    super(what, {
      hint: 'Bring the file back from a copy of the store, or the key back into NIGHTSHIFT_SECRET_KEYS; else make another snapshot: npx nightshift snapshots create',
      context,
      cause,
    });
  }
}

/** Reads `text` of a file with `parse`; what does not fit is damage. */
export function parsed<T>(file: string, text: string, parse: (value: unknown) => T): T {
  try {
    return parse(JSON.parse(text));
  } catch (error) {
    throw new SnapshotDamaged(`The file ${file} cannot be read: ${messageOf(error)}`, { file }, error);
  }
}

/** What is wrong with files or their keys; anything else is thrown again: it says nothing of them. */
export function damageSaid(error: unknown): string {
  const isDamage =
    error instanceof NightshiftError &&
    ['NS_SNAPSHOT_DAMAGED', 'NS_SECRET_KEY_UNKNOWN', 'NS_SECRET_UNREADABLE'].includes(error.code);
  if (!isDamage) throw error;
  return messageOf(error);
}

/** What is wrong with a snapshot, in words that name the file. */
import { coded, messageOf } from '#runtime/errors.ts';

export class SnapshotDamaged extends coded('NS_SNAPSHOT_DAMAGED') {
  constructor(what: string, context: Record<string, unknown> = {}, cause?: unknown) {
    super(what, {
      hint: 'Bring the file back from a copy of the store, or make another snapshot: npx nightshift snapshots create',
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

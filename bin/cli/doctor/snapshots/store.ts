/** Whether the store of snapshots that this process has is there, can be listed and written, and has what the catalogue says. */
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import type { Reader } from '#sql/db/reader.ts';
import { ifAllowed, type Store } from '#tasks/snapshots/store.ts';
import { snapshotServices } from '../../shared/snapshots.ts';
import { count, span } from '../../ui/format.ts';
import { type Check, type Finding, failure, NAMED_MAX, ok, warning } from '../check.ts';

const ANSWER_MS = 10_000;

export const snapshotStore = storeWithin(ANSWER_MS);

export function storeWithin(answerMs: number): Check {
  return {
    name: 'snapshot store',
    async run({ db, url, config }) {
      const { store } = snapshotServices(config, url);
      const owners = await ownersIn(db, store.place);
      if (owners.length === 0) return ok(`no brand has a snapshot in ${store.place}`);
      return judge(store, owners, answerMs);
    },
  };
}

type Owner = { id: string; slug: string };

async function ownersIn(db: Reader, place: string): Promise<Owner[]> {
  const { rows } = await db.query<Owner>(
    `select brand_id as id, max(brand_slug) as slug from ops.snapshots
     where store = $1 and state <> 'creating' group by 1 order by 2, 1`,
    [place],
  );
  return rows;
}

async function judge(store: Store, owners: readonly Owner[], answerMs: number): Promise<Finding> {
  const { place } = store;
  const limit = AbortSignal.timeout(answerMs);
  try {
    const [found, isWritten] = await withinLimit(asked(store, limit), limit);
    const lacking = found === undefined ? [] : owners.filter(({ id }) => !found.includes(id));
    if (lacking.length > 0)
      return failure(
        `${place} has nothing of ${named(lacking)}, who ${lacking.length === 1 ? 'has' : 'have'} snapshots in it by the catalogue.`,
        'mount the directory, or correct NIGHTSHIFT_SNAPSHOT_DIR or NIGHTSHIFT_SNAPSHOT_STORE; what was moved: npx nightshift snapshots sync',
      );
    const held = `with snapshots of ${count(owners.length, 'brand')}`;
    if (!isWritten)
      return warning(
        `${place}, ${held}, may ${found === undefined ? 'neither be listed nor' : 'be listed, but not'} be written with the key of this process.`,
        'run it with the key of the workers: npx nightshift doctor',
      );
    return ok(`${place}, ${held}, can be written${found === undefined ? ', and not listed' : ' and listed'}`);
  } catch (error) {
    if (limit.aborted)
      return failure(
        `${place} did not answer within ${span(answerMs)}.`,
        'see whether this host reaches it, then: npx nightshift doctor',
      );
    if (!(error instanceof NightshiftError)) throw error;
    return failure(messageOf(error), error.hint ?? 'npx nightshift doctor');
  }
}

/** The brands that it has files of, if it may be listed, and whether it may be written. */
async function asked(store: Store, signal: AbortSignal): Promise<[string[] | undefined, boolean]> {
  const found = await ifAllowed(() => store.brands(signal));
  const isWritten = await ifAllowed(() => store.tryWrite(signal).then(() => true));
  return [found, isWritten === true];
}

/** A directory of a host that is away ends with no signal. */
function withinLimit<T>(work: Promise<T>, limit: AbortSignal): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      limit.addEventListener('abort', () => reject(limit.reason), { once: true });
    }),
  ]);
}

function named(owners: readonly Owner[]): string {
  const more = owners.length - NAMED_MAX;
  const names = owners.slice(0, NAMED_MAX).map(({ slug }) => slug);
  return [...names, ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

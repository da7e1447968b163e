/** Whether what is promised of snapshots is kept, also where no job looks. */
import { promisesOf, snapshotStates } from '#sql/snapshots/promises.ts';
import { count } from '../../ui/format.ts';
import { type Check, named, ok, warning } from '../check.ts';

const BRANDS_MAX = 1_000;

export const snapshots: Check = {
  name: 'snapshots',
  async run({ db }) {
    const states = await snapshotStates(db, { now: new Date(), max: BRANDS_MAX });
    const broken = states.flatMap((state) =>
      promisesOf(state).flatMap(({ promise, broken }) =>
        broken ? [{ ...broken, promise, brand: state.brand }] : [],
      ),
    );
    if (broken.length > 0)
      return named(broken, broken.length, ({ brand, promise, cause, hint }) =>
        warning(`Not kept for ${brand}: ${promise}. Cause: ${cause}`, hint),
      );
    const proved = states.filter(({ provenAt }) => provenAt !== null);
    return ok(
      `${count(proved.length, 'brand')} of ${states.length} with a snapshot that has proved to restore`,
    );
  },
};

/** Indexes that nothing reads: each costs every write, so whoever tunes a server wants to know; nothing is wrong with them. */
import { unusedIndexes } from '#sql/maintenance/indexes.ts';
import { type Check, NAMED_MAX, ok } from './check.ts';

export const unused: Check = {
  name: 'unused indexes',
  anySchema: true,
  async run({ db }) {
    const found = await unusedIndexes(db, NAMED_MAX);
    const [first] = found;
    if (first === undefined) return ok('each large index is used');
    const since =
      first.since === null ? 'since this database was made' : `since ${first.since.toISOString()}`;
    return ok(`nothing has read ${found.map(({ name }) => name).join(', ')} ${since}`);
  },
};

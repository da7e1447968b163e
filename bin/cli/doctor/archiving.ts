/** Whether the write-ahead log is archived: snapshots bring back the state of a night, and nothing of the hours since. */
import { type Archiving, readArchiving } from '#sql/maintenance/archiving.ts';
import { count } from '../ui/format.ts';
import { type Check, type Finding, failure, ok, warning } from './check.ts';

const MEND =
  'see Point in time in docs/operations.md; psql: alter system set archive_mode = on, then restart the server';

export const archiving: Check = {
  name: 'archiving',
  async run({ db }) {
    return judgeArchiving(await readArchiving(db));
  },
};

export function judgeArchiving({ isOn, realConnections, failing }: Archiving): Finding {
  if (failing !== null)
    return failure(`The archive of the write-ahead log takes nothing since ${failing.toISOString()}.`, MEND);
  if (isOn) return ok('the write-ahead log is archived');
  const real = `${count(realConnections, 'connection')} to real providers`;
  return realConnections > 0
    ? warning(
        `archive_mode is off with ${real}: what came since the last snapshot is lost with the server.`,
        MEND,
      )
    : ok('the write-ahead log is not archived, and no connection is to a real provider');
}

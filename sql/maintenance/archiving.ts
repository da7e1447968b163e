/** Whether the server archives its write-ahead log, and whether there is anything to lose. */
import type { Reader } from '../db/reader.ts';

export type Archiving = {
  isOn: boolean;
  /** To addresses that are not of this machine. */
  realConnections: number;
  /** Since when it fails; null if it does not. */
  failing: Date | null;
};

export async function readArchiving(db: Reader): Promise<Archiving> {
  const { rows } = await db.query<Archiving>(
    `select current_setting('archive_mode') <> 'off' as "isOn",
            (select count(*)::int from app.connections
             where removing_at is null
               and base_url !~* '^https?://(localhost|127[.][0-9.]+|\\[::1\\])(:[0-9]+)?(/|$)') as "realConnections",
            (select last_failed_time from pg_stat_archiver
             where last_failed_time > coalesce(last_archived_time, '-infinity')) as failing`,
  );
  return rows[0] ?? { isOn: false, realConnections: 0, failing: null };
}

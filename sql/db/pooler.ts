/**
 * Refuses a pooler of connections in between. Our sessions carry state: settings that they ask for as they begin, the
 * advisory lock that proves a worker alive, LISTEN, prepared statements. A pooler drops some of it, or serves each
 * transaction by another session of the server, and then dead workers look alive and live ones dead. It also invents
 * the process id that a session hears of, by which we break off runs: it would be somebody else's.
 */
import { DatabasePooled } from './faults.ts';
import { type Db, OPTIONS_MARK } from './pool.ts';

const LOOK = `select pg_backend_pid() as pid, current_setting('${OPTIONS_MARK}', true) as mark`;

export async function assertNoPooler(db: Db): Promise<void> {
  await db.query('select'); // a server that cannot be reached fails here, with a clear message
  const client = await db.pool.connect();
  try {
    const { rows } = await client.query<{ pid: number; mark: string | null }>(LOOK);
    if (!rows[0]?.mark) throw new DatabasePooled('it drops the settings that a session asks for');
    const { processID } = client as typeof client & { processID?: number };
    if (processID !== rows[0].pid)
      throw new DatabasePooled(`it says that our session is process ${processID}, which is ${rows[0].pid}`);
  } finally {
    client.release();
  }
}

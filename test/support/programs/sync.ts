/** Runs one sync to its end, to be killed on the way: `node sync.ts <database> <payload>`. */
import { openDb } from '#sql/db/pool.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { testKeyring } from '../rows/factory.ts';
import { runTask } from '../run.ts';

const [url = '', payload = '{}'] = process.argv.slice(2);
await using db = openDb(url, { applicationName: 'nightshift test sync' });
await runTask(syncStream, JSON.parse(payload), db, { services: testKeyring });

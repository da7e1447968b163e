/** Runs one sync of rates to its end, to be killed on the way: `node fx_sync.ts <database> <payload> <feeds>`. */
import { openDb } from '#sql/db/pool.ts';
import { fxRates } from '#tasks/fx/fx_rates.ts';
import { runTask } from '../run.ts';

const [url = '', payload = '{}', ecbUrl = ''] = process.argv.slice(2);
await using db = openDb(url, { applicationName: 'nightshift test fx' });
await runTask(fxRates, JSON.parse(payload), db, { services: { ecbUrl } });

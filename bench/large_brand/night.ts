/**
 * The night of a large brand: of each of its retailers one order of yesterday changes, and a worker brings all figures up to
 * date, from the first job to the last.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeKeyring } from '../../connectors/providers.ts';
import { makeLog } from '../../runtime/log.ts';
import { sealer } from '../../sql/tenants/secrets.ts';
import { enqueue } from '../../tasks/enqueue.ts';
import { tasks } from '../../tasks/index.ts';
import { rollup } from '../../tasks/rollup.ts';
import { startWorker } from '../../workers/queue/worker.ts';
import type { Figure } from '../support/bench.ts';
import { median, timed } from '../support/measure.ts';
import type { BenchServer } from '../support/server.ts';
import { DAYS, fillLargeBrand, LAST_DAY, type LargeBrand, NOW, RETAILERS } from './large_brand.ts';

const NIGHTS = 3;
const CONCURRENCY = 4;
const LOOK_MS = 50;
const NIGHT_MS_MAX = 5 * 60_000;

export async function benchNight(server: BenchServer): Promise<Figure[]> {
  const brand = await fillLargeBrand(server);
  const worker = await startWorker({
    url: brand.db.url,
    concurrency: CONCURRENCY,
    drainSeconds: 10,
    log: makeLog('warn', 'bench'),
    tasks,
    services: {
      ...makeKeyring(sealer([{ id: 'none', key: randomBytes(32) }]), []),
      ecbUrl: 'http://127.0.0.1:9',
    },
  });
  const nights: number[] = [];
  try {
    for (let night = 0; night < NIGHTS; night++) {
      await changeAnOrderEach(brand);
      nights.push(await timed(() => compute(brand)));
    }
  } finally {
    await worker.stop();
  }
  return [
    {
      name: `${RETAILERS} retailers, ${DAYS} days, one order of each changed: until all figures are there`,
      value: median(nights) / 1000,
      unit: 's',
      bar: { below: 30 },
    },
    { name: 'the first of these nights', value: (nights[0] ?? 0) / 1000, unit: 's' },
  ];
}

/** Its sale of the last day brings a pound more, and the day is marked, as a load does it. */
async function changeAnOrderEach({ db, brandId }: LargeBrand): Promise<void> {
  await db.query(
    `with changed as (
       update raw.shopify_sales set total_amount = total_amount + 1
       where brand_id = $1 and reason = 'ORDER' and booked_at >= fact.day_start($2::date, 'Europe/London')
       returning connection_id
     )
     insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
     select $1, c.retailer_id, 'sales', $2::date, $3
     from changed join app.connections c on c.brand_id = $1 and c.id = changed.connection_id`,
    [brandId, LAST_DAY, NOW],
  );
}

async function compute({ db, brandId, retailerIds }: LargeBrand): Promise<void> {
  for (const retailerId of retailerIds)
    await db.transaction((tx) => enqueue(tx, rollup, { brandId, retailerId, now: NOW.toISOString() }));
  for (let waited = 0; waited < NIGHT_MS_MAX; waited += LOOK_MS) {
    const { rows } = await db.query<{ left: number; failed: number }>(
      `select (select count(*) from ops.jobs)::int as left,
              (select count(*) from ops.job_runs where outcome in ('dead', 'retrying', 'crashed'))::int as failed`,
    );
    if (rows[0]?.failed) throw new Error(`${rows[0].failed} jobs of the night failed.`);
    if (rows[0]?.left === 0) return;
    await sleep(LOOK_MS);
  }
  throw new Error('The night did not end in time.');
}

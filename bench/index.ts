/**
 * `npm run bench [name…] [-- --json --connections 200]`: runs the named benches, or all, each in databases of its own,
 * and prints their figures. It ends with 1 when a figure misses its bar. docs/performance.md says
 * what the bars mean and what was measured.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { makeOutput } from '../bin/cli/ui/output.ts';
import { benchAttribution } from './campaigns/attribution.ts';
import { benchEvents } from './events/import.ts';
import { benchFleet } from './fleet.ts';
import { benchForecast } from './forecast/forecast.ts';
import { benchDashboards } from './large_brand/dashboards.ts';
import { benchNight } from './large_brand/night.ts';
import { benchLoad } from './load.ts';
import { benchMemory } from './memory.ts';
import { benchFair } from './queue/fair.ts';
import { benchQueue } from './queue.ts';
import { benchRecovery } from './recovery.ts';
import { benchRollup } from './rollup.ts';
import { benchScheduler } from './scheduler.ts';
import { benchSnapshots } from './snapshots/create.ts';
import { benchRestores } from './snapshots/restore.ts';
import { benchSoak } from './soak.ts';
import { benchStripe } from './stripe.ts';
import { benchStripeSync } from './stripe_sync.ts';
import { benchSubscriptions } from './subscriptions.ts';
import { type Bench, type Figure, meets, sayBar } from './support/bench.ts';
import { openBenchServer } from './support/server.ts';
import { benchSync } from './sync.ts';
import { benchWebhooks } from './webhooks/webhooks.ts';

const MINUTE_MS = 60_000;
const benches: readonly Bench[] = [
  { name: 'load', limitMs: 10 * MINUTE_MS, run: benchLoad },
  { name: 'stripe', limitMs: 10 * MINUTE_MS, run: benchStripe },
  { name: 'stripe_sync', limitMs: 15 * MINUTE_MS, run: benchStripeSync },
  { name: 'sync', limitMs: 15 * MINUTE_MS, run: benchSync },
  { name: 'rollup', limitMs: 15 * MINUTE_MS, run: benchRollup },
  { name: 'attribution', limitMs: 15 * MINUTE_MS, run: benchAttribution },
  { name: 'night', limitMs: 30 * MINUTE_MS, run: benchNight },
  { name: 'dashboards', limitMs: 30 * MINUTE_MS, run: benchDashboards },
  { name: 'forecast', limitMs: 10 * MINUTE_MS, run: benchForecast },
  { name: 'snapshots', limitMs: 60 * MINUTE_MS, run: benchSnapshots },
  { name: 'restores', limitMs: 60 * MINUTE_MS, run: benchRestores },
  { name: 'subscriptions', limitMs: 5 * MINUTE_MS, run: benchSubscriptions },
  { name: 'events', limitMs: 15 * MINUTE_MS, run: benchEvents },
  { name: 'fleet', limitMs: 20 * MINUTE_MS, run: benchFleet },
  { name: 'scheduler', limitMs: 5 * MINUTE_MS, run: benchScheduler },
  { name: 'fair', limitMs: 10 * MINUTE_MS, run: benchFair },
  { name: 'queue', limitMs: 10 * MINUTE_MS, run: benchQueue },
  { name: 'recovery', limitMs: 10 * MINUTE_MS, run: benchRecovery },
  { name: 'webhooks', limitMs: 5 * MINUTE_MS, run: benchWebhooks },
  { name: 'memory', limitMs: 90 * MINUTE_MS, run: benchMemory },
  { name: 'soak', limitMs: 90 * MINUTE_MS, run: benchSoak },
];

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, connections: { type: 'string' } },
});
const connections = values.connections === undefined ? undefined : Number(values.connections);
if (connections !== undefined && !(Number.isInteger(connections) && connections >= 4)) {
  process.stderr.write('--connections takes a whole number from 4 on\n');
  process.exit(2);
}
const out = makeOutput(values.json ?? false);
const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0) {
  out.say(
    `There is no bench ${unknown.join(', ')}; there are: ${benches.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}

for (const bench of benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
  const figures = await measure(bench);
  out.list(
    figures.map((figure) => row(bench, figure)),
    ['bench', 'figure', 'value', 'unit', 'bar', 'met'],
  );
  if (figures.some(({ value, bar }) => bar && !meets(value, bar))) process.exitCode = 1;
}

/** A server for each bench, so that none works in the wake of another. */
async function measure({ name, limitMs, run }: Bench): Promise<Figure[]> {
  await using server = await openBenchServer(process.env);
  out.say(`bench ${name} on PostgreSQL ${server.version} …`);
  const limit = new AbortController();
  const tooLong = sleep(limitMs, undefined, { signal: limit.signal }).then(() => {
    throw new Error(`Bench ${name} did not end within ${limitMs / 1000} s.`);
  });
  try {
    return await Promise.race([run(server, { ...(connections && { connections }) }), tooLong]);
  } finally {
    limit.abort();
    tooLong.catch(() => {});
  }
}

function row({ name }: Bench, { name: figure, value, unit, bar }: Figure) {
  const shown = Number(value.toPrecision(4));
  return {
    bench: name,
    figure,
    value: shown,
    unit,
    bar: bar && sayBar(bar),
    met: bar && (meets(value, bar) ? 'yes' : 'NO'),
  };
}

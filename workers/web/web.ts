/** The web server: a public listener for deliveries and health, and one for metrics that is not public. */

import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import type { ProviderKeyring } from '#connectors/providers.ts';
import type { Log } from '#runtime/log.ts';
import { assertSchema } from '#sql/db/migrate.ts';
import { openDb } from '#sql/db/pool.ts';
import { assertKeysFit } from '#sql/tenants/secrets.ts';
import { makeBodyReader } from './body.ts';
import { eventHandler } from './events.ts';
import { healthRoutes } from './health.ts';
import { makeInbox } from './inbox.ts';
import { type Address, type App, type Listener, listen } from './listen.ts';
import { makeMetrics } from './metrics.ts';
import { makeReceivers } from './receivers.ts';
import { webhookHandler } from './webhooks.ts';

export type WebOptions = {
  url: string;
  log: Log;
  services: ProviderKeyring;
  public: Address;
  metrics: Address;
};

export type Web = AsyncDisposable & { url: string; metricsUrl: string };

const SESSIONS_MAX = 10;
/** A provider does not wait longer for the answer. */
const STATEMENT_MS_MAX = 4_000;
const METRICS_MS_MAX = 5_000;

/** Leaving the scope answers what is under way, and ends. */
export async function startWeb({ url, log, services, ...addresses }: WebOptions): Promise<Web> {
  await using opening = new AsyncDisposableStack();
  const open = (name: string, max: number, statementTimeoutMs: number) =>
    opening.use(openDb(url, { applicationName: `nightshift ${name}`, max, statementTimeoutMs }));
  const db = open('web', SESSIONS_MAX, STATEMENT_MS_MAX);
  const figures = open('metrics', 1, METRICS_MS_MAX);
  await assertSchema(db);
  await assertKeysFit(db, services.sealer);
  const metrics = makeMetrics(figures, log);
  const health = healthRoutes(db);
  const readBody = makeBodyReader();
  const door = {
    ...{ providers: services.providers, log, count: metrics.count },
    receivers: makeReceivers(db, services, log),
    inbox: makeInbox(db, services.sealer),
    readBody,
  };
  const app = newApp(log).route('/', health);
  app.post('/webhooks/:provider/:connection', webhookHandler(door));
  app.post('/events/:brand', eventHandler({ db, sealer: services.sealer, readBody, log }));
  const own = newApp(log).route('/', health);
  own.get('/metrics', metrics.handler);
  const listeners: [Listener, Listener] = [
    opening.use(await listen(app, addresses.public)),
    opening.use(await listen(own, addresses.metrics)),
  ];
  const opened = opening.move();
  let ended: Promise<void> | undefined;
  return {
    url: listeners[0].url,
    metricsUrl: listeners[1].url,
    [Symbol.asyncDispose]: () => {
      ended ??= opened.disposeAsync();
      return ended;
    },
  };
}

/** Answers tell nothing of what is behind them. */
function newApp(log: Log): App {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.notFound(() => new Response(null, { status: 404 }));
  app.onError((error) => {
    log.error({ err: error }, 'a request failed');
    return new Response(null, { status: 500 });
  });
  return app;
}

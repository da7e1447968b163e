/** Whether the process lives (/healthz), and whether it can store a delivery (/readyz). */
import { setTimeout } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { assertSchema } from '#sql/db/migrate.ts';
import type { Db } from '#sql/db/pool.ts';
import { cached } from './cached.ts';
import type { App } from './listen.ts';

/** Whoever asks, the database is asked this often. */
const KNOWN_MS = 2_000;
/** Who cannot say so by then cannot store a delivery in time either. */
const ANSWER_MS_MAX = 2_000;

/** `db`: the sessions that store deliveries. */
export function healthRoutes(db: Db): App {
  const app = new Hono<{ Bindings: HttpBindings }>();
  const isReady = cached(KNOWN_MS, () =>
    Promise.race([
      assertSchema(db).then(
        () => true,
        () => false,
      ),
      setTimeout(ANSWER_MS_MAX, false, { ref: false }),
    ]),
  );
  app.get('/healthz', () => new Response('ok\n'));
  app.get('/readyz', async () =>
    (await isReady()) ? new Response('ready\n') : new Response('not ready\n', { status: 503 }),
  );
  return app;
}

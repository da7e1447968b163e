/** Whether the process lives (/healthz), and whether it can store a delivery (/readyz). */
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { assertSchema } from '#sql/db/migrate.ts';
import type { Db } from '#sql/db/pool.ts';
import { cached } from './cached.ts';
import type { App } from './listen.ts';

/** Whoever asks, the database is asked this often. */
const KNOWN_MS = 2_000;

export function healthRoutes(db: Db): App {
  const app = new Hono<{ Bindings: HttpBindings }>();
  const isReady = cached(KNOWN_MS, () =>
    assertSchema(db).then(
      () => true,
      () => false,
    ),
  );
  app.get('/healthz', () => new Response('ok\n'));
  app.get('/readyz', async () =>
    (await isReady()) ? new Response('ready\n') : new Response('not ready\n', { status: 503 }),
  );
  return app;
}

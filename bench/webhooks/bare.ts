/** The yardstick: a bare handler that verifies nothing and does one insert per batch: node bare.ts <url>. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { openDb } from '../../sql/db/pool.ts';

const [, , url = ''] = process.argv;
const db = openDb(url, { applicationName: 'bare web', max: 10 });
const app = new Hono();
app.post('/*', async (context) => {
  const body = Buffer.from(await context.req.arrayBuffer());
  await db.query({ name: 'bare', text: 'insert into public.batches (body) values ($1)' }, [body]);
  return new Response(null, { status: 200 });
});
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
  console.log(`http://127.0.0.1:${port}`),
);

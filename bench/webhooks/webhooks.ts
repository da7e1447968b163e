/**
 * Signed batches of mail events from several connections: how many are accepted for good in a second, beside a bare
 * handler that does one insert per batch; how long an answer takes; and whether anything is lost when the process is
 * killed on its way.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Pool } from 'undici';
import { addSecret } from '../../sql/webhooks/secrets.ts';
import { aConnection, TEST_KEYS, testSealer } from '../../test/support/rows/factory.ts';
import type { Figure } from '../support/bench.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';

const CONNECTIONS = 4;
const SENDERS = 32;
const BATCHES = 1_200;
const EVENTS = 100;
const PORT = 18_360;

type Batch = { path: string; headers: Record<string, string>; body: string };
type Sent = { seconds: number; p99: number };

export async function benchWebhooks(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await db.query(
    'create table public.batches (id bigint generated always as identity primary key, body bytea not null)',
  );
  const senders = await connections(db);
  const [first, second, third] = [1, 2, 3].map((round) => batches(senders, round));
  const bare = await start(join(import.meta.dirname, 'bare.ts'), [db.url], {});
  await deliver(bare.url, batches(senders, 0));
  const plain = await deliver(bare.url, first ?? []);
  await bare.kill();
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const ports = { NIGHTSHIFT_WEB_PORT: String(PORT), NIGHTSHIFT_METRICS_PORT: '0' };
  const begin = () => start(join(import.meta.dirname, '../../bin/web.ts'), [], { ...env, ...ports });
  let web = await begin();
  await deliver(web.url, batches(senders, 4));
  const ours = await deliver(web.url, second ?? []);
  const before = await stored(db);
  const killed = deliver(web.url, third ?? [], async () => {
    await web.kill();
    web = await begin();
  });
  await killed;
  const lost = BATCHES - ((await stored(db)) - before);
  await web.kill();
  const events = BATCHES * EVENTS;
  return [
    { name: 'accepted for good', value: events / ours.seconds, unit: 'events/s', bar: { atLeast: 5_000 } },
    { name: 'beside a bare handler', value: plain.seconds / ours.seconds, unit: 'x', bar: { atLeast: 0.7 } },
    { name: 'answer, p99', value: ours.p99, unit: 'ms' },
    { name: 'answer of the bare handler, p99', value: plain.p99, unit: 'ms' },
    { name: 'batches lost when it is killed', value: lost, unit: 'batches', bar: { below: 1 } },
  ];
}

type Sender = { path: string; sign(text: string): string };

async function connections(db: BenchDb): Promise<Sender[]> {
  const all: Sender[] = [];
  for (let n = 0; n < CONNECTIONS; n++) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const account = { provider: 'sendgrid', account: `acme${n}`, auth: 'key', secret: 'SG.a.b' };
    const { brandId, id: connectionId, name } = await aConnection(db, account);
    const secret = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    await db.transaction((tx) =>
      addSecret(tx, testSealer, { brandId, connectionId, name, secret, only: true }),
    );
    const path = `/webhooks/sendgrid/${connectionId}`;
    all.push({ path, sign: (text) => sign('sha256', Buffer.from(text), privateKey).toString('base64') });
  }
  return all;
}

/** Signed before the clock runs. */
function batches(senders: readonly Sender[], round: number): Batch[] {
  return Array.from({ length: BATCHES }, (_, n) => {
    const events = Array.from({ length: EVENTS }, (_, i) => ({
      ...{ email: `person${i}@example.com`, event: 'delivered', timestamp: 1_795_000_000 + n },
      ...{
        sg_event_id: `${round}-${n}-${i}`,
        sg_message_id: `m${n}.filter-1.2`,
        'smtp-id': `<m${n}@example.com>`,
      },
      ...{ response: '250 OK', ip: '192.0.2.1', category: ['spring', 'newsletter'] },
    }));
    const body = `${JSON.stringify(events)}\r\n`;
    const timestamp = '1795222800';
    const { path, sign } = senders[n % senders.length] as Sender;
    const headers = {
      'content-type': 'application/json',
      'x-twilio-email-event-webhook-signature': sign(timestamp + body),
      'x-twilio-email-event-webhook-timestamp': timestamp,
    };
    return { path, headers, body };
  });
}

/** As a provider does it: what is not answered with 200 is sent again. `midway` is called once half is answered. */
async function deliver(url: string, all: readonly Batch[], midway?: () => Promise<void>): Promise<Sent> {
  await using pool = disposable(new Pool(url, { connections: SENDERS }));
  const waits: number[] = [];
  const queue = [...all];
  let disturbed: Promise<void> | undefined;
  const begunAt = performance.now();
  const sender = async () => {
    for (let batch = queue.pop(); batch !== undefined; batch = queue.pop()) {
      const at = performance.now();
      while (!(await isTaken(pool.pool, batch))) await disturbed;
      waits.push(performance.now() - at);
      if (midway && waits.length >= all.length / 2) disturbed ??= midway();
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  await disturbed;
  const seconds = (performance.now() - begunAt) / 1000;
  return { seconds, p99: waits.sort((one, other) => one - other)[Math.floor(waits.length * 0.99)] ?? 0 };
}

async function isTaken(pool: Pool, { path, headers, body }: Batch): Promise<boolean> {
  try {
    const answer = await pool.request({ method: 'POST', path, headers, body });
    await answer.body.dump();
    return answer.statusCode === 200;
  } catch {
    return false;
  }
}

function disposable(pool: Pool) {
  return { pool, [Symbol.asyncDispose]: () => pool.destroy() };
}

async function stored(db: BenchDb): Promise<number> {
  const { rows } = await db.query<{ n: number }>('select count(*) as n from ops.webhook_deliveries');
  return rows[0]?.n ?? 0;
}

async function start(program: string, args: string[], env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let url = '';
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) throw new Error('no output');
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => {
      url ||= /"url":"(http[^"]+)"/.exec(line)?.[1] ?? /^(http\S+)$/.exec(line)?.[1] ?? '';
      if (url !== '') child.emit('ready');
    });
  }
  await Promise.race([once(child, 'ready'), ended.then(() => Promise.reject(new Error(`${program} ended`)))]);
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url, kill };
}

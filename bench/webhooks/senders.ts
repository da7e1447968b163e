/** Connections with a key to sign with, signed batches of mail events, and processes that take them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Pool } from 'undici';
import { addSecret } from '../../sql/webhooks/secrets.ts';
import { aConnection, testSealer } from '../../test/support/rows/factory.ts';
import type { BenchDb } from '../support/server.ts';

/** Of a batch. */
export const EVENTS = 100;

export type Batch = { path: string; headers: Record<string, string>; body: string };
export type Sender = { path: string; brandId: string; sign(text: string): string };

export async function connections(db: BenchDb, count: number): Promise<Sender[]> {
  const all: Sender[] = [];
  for (let n = 0; n < count; n++) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const account = { provider: 'sendgrid', account: `acme${n}`, auth: 'key', secret: 'SG.a.b' };
    const { brandId, id: connectionId, name } = await aConnection(db, account);
    const secret = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    await db.transaction((tx) =>
      addSecret(tx, testSealer, { brandId, connectionId, name, secret, only: true }),
    );
    const path = `/webhooks/sendgrid/${connectionId}`;
    all.push({
      path,
      brandId,
      sign: (text) => sign('sha256', Buffer.from(text), privateKey).toString('base64'),
    });
  }
  return all;
}

/** Signed before the clock runs. */
export function batches(senders: readonly Sender[], round: number, count: number): Batch[] {
  return Array.from({ length: count }, (_, n) => {
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

export async function isTaken(pool: Pool, { path, headers, body }: Batch): Promise<boolean> {
  try {
    const answer = await pool.request({ method: 'POST', path, headers, body });
    await answer.body.dump();
    return answer.statusCode === 200;
  } catch {
    return false;
  }
}

export function disposable(pool: Pool) {
  return { pool, [Symbol.asyncDispose]: () => pool.destroy() };
}

/** Runs a program until it says where it listens, or what `isReady` waits for. */
export async function start(
  program: string,
  args: string[],
  env: Record<string, string>,
  isReady = /"url":"(http[^"]+)"|^(http\S+)$/,
) {
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
      const said = isReady.exec(line);
      if (said === null) return;
      url ||= said[1] ?? said[2] ?? '';
      child.emit('ready');
    });
  }
  await Promise.race([once(child, 'ready'), ended.then(() => Promise.reject(new Error(`${program} ended`)))]);
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url, kill };
}

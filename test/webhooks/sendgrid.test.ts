/** A signed batch of SendGrid's events, from the door to the table. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { followDeliveries } from '#tasks/webhooks/follow_deliveries.ts';
import { freshDb } from '../support/db/db.ts';
import { aConnection } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { aDoor, giveSecret, send, type Which } from '../support/webhooks/door.ts';

const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return { privateKey, secret: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') };
};
const event = (id: string, more: object = {}) => ({
  ...{ email: 'ann@example.com', event: 'open', timestamp: 1_795_000_000, sg_event_id: id, ip: '10.1.2.3' },
  ...more,
});

test('events of a batch are rows once, of their brand alone, and nothing that names a person is kept', async () => {
  await using db = await freshDb();
  const keys = [pair(), pair()] as const;
  const which: Which[] = [];
  for (const { secret } of keys) {
    const account = {
      provider: 'sendgrid',
      account: 'acme',
      auth: 'key',
      secret: 'SG.a.b',
      baseUrl: 'http://127.0.0.1:9',
    };
    const { brandId, id: connectionId } = await aConnection(db, account);
    which.push({ brandId, connectionId });
    await giveSecret(db, { brandId, connectionId }, secret);
  }
  await using door = await aDoor(db);
  const deliver = (n: 0 | 1, batch: unknown) => {
    const body = `${JSON.stringify(batch)}\r\n`;
    const timestamp = '1795222800';
    const signature = sign('sha256', Buffer.from(timestamp + body), keys[n].privateKey).toString('base64');
    const headers = {
      'x-twilio-email-event-webhook-signature': signature,
      'x-twilio-email-event-webhook-timestamp': timestamp,
    };
    return send(door, 'sendgrid', which[0]?.connectionId ?? '', { headers, body });
  };
  expect(await deliver(0, [event('e1'), event('e2', { event: 'click' }), { event: 7 }])).toBe(200);
  expect(await deliver(0, [event('e2', { event: 'click' }), event('e3')])).toBe(200);
  expect(await deliver(1, [event('e4')])).toBe(401);
  const stream = {
    brandId: which[0]?.brandId ?? '',
    connectionId: which[0]?.connectionId ?? '',
    stream: 'sendgrid.events',
    rows: true,
  } as const;
  expect(await runTask(followDeliveries, stream, db)).toMatchObject({
    deliveries: 2,
    changed: 3,
    rejected: 1,
  });
  expect(await db.rows('select brand_id, id, event, source from raw.sendgrid_events order by id')).toEqual(
    ['open', 'click', 'open'].map((name, n) => ({
      brand_id: stream.brandId,
      id: `e${n + 1}`,
      event: name,
      source: 'webhook',
    })),
  );
  const [kept] = await db.column(
    `select concat((select string_agg(e::text, '') from raw.sendgrid_events e),
                   (select string_agg(encode(body, 'escape'), '') from ops.webhook_deliveries))`,
  );
  expect(kept).not.toMatch(/ann@example|10\.1\.2\.3/);
});

import { expect, test } from 'vitest';
import '#connectors/providers.ts'; // brings what their keys look like
import { coded } from '#runtime/errors.ts';
import { type LogLevel, makeLog } from '#runtime/log.ts';

class KeyRefused extends coded('NS_CREDENTIALS_REJECTED') {}

function recording(level: LogLevel = 'info') {
  const written: string[] = [];
  const log = makeLog(level, 'test', { write: (line: string) => void written.push(line) });
  return { log, written, last: () => JSON.parse(written.at(-1) ?? '') as Record<string, unknown> };
}

test('a line is one JSON object with the level in words, the time in UTC and the process', () => {
  const { log, last } = recording();
  log.info({ rows: 3 }, 'page stored');
  expect(last()).toMatchObject({ level: 'info', process: 'test', rows: 3, msg: 'page stored' });
  expect(last().time).toMatch(/Z$/);
});

test('nothing below the level is written', () => {
  const { log, written } = recording('warn');
  log.info('unimportant');
  expect(written).toEqual([]);
});

test('an error becomes flat fields: message, code, verdict, hint and its context', () => {
  const { log, last } = recording();
  const error = new KeyRefused('Refused.', {
    hint: 'Store a new key.',
    verdict: 'hold',
    context: { connectionId: 'c1' },
  });
  log.error({ err: error, job: 7 }, 'job failed');
  const flat = {
    error: 'Refused.',
    code: 'NS_CREDENTIALS_REJECTED',
    verdict: 'hold',
    hint: 'Store a new key.',
  };
  expect(last()).toMatchObject({ ...flat, connectionId: 'c1', job: 7 });
});

const secrets = {
  'a Shopify token': 'shpat_0123456789abcdef0123456789abcdef',
  'a Shopify client secret': 'shpss_0123456789abcdef0123456789abcdef',
  'a Stripe key': 'sk_live_51Habcdefghijklmnop',
  'a restricted Stripe key': 'rk_test_51Habcdefghijklmnop',
  'a SendGrid key': 'SG.abcdefghijklmnop.qrstuvwxyz0123456789',
};

for (const [name, secret] of Object.entries(secrets)) {
  test(`${name} is blanked in messages, fields, deep fields, arrays, error texts and bindings`, () => {
    const { log, written } = recording('trace');
    log.info(`called with ${secret}`);
    log.info({ url: `https://example.com/?key=${secret}`, deep: { deeper: { headers: [secret] } } }, 'call');
    log.error({ err: new Error(`401 for ${secret}`) }, 'failed');
    log.child({ account: secret }).warn('child');
    expect(written).toHaveLength(4);
    for (const line of written) {
      expect(line).not.toContain(secret);
      expect(() => JSON.parse(line)).not.toThrow();
    }
  });
}

test('a password in an address is blanked, and the rest of the address stays', () => {
  const { log, last } = recording();
  log.info(
    { url: 'postgres://nightshift:hunter2@db.example:5432/shop' },
    'connecting to redis://:hunter2@cache',
  );
  expect(last()).toMatchObject({
    url: 'postgres://nightshift:[secret]@db.example:5432/shop',
    msg: 'connecting to redis://:[secret]@cache',
  });
});

test('whatever stands under the name of a secret is blanked, at any depth and in quoted JSON', () => {
  const { log, written, last } = recording();
  log.info({
    token: 'plain-one',
    deep: { list: [{ password: 'plain-two' }] },
    body: '{"access_token":"plain-three"}',
  });
  log.info('retry with password=plain-four&user=x, Authorization: Bearer plain-five-x');
  expect(written.join('')).not.toMatch(/plain-(one|two|three|four|five)/);
  expect(last().msg).toContain('user=x');
});

test('a text full of quotes and backslashes stays a line of JSON with all that is not a secret', () => {
  const { log, last } = recording();
  log.info({ body: 'say "token=abc\\" and "password": "x\\"y" then \\', token: 'a"b\\' });
  expect(last()).toMatchObject({
    token: '[secret]',
    body: 'say "token=[secret]" and "password": "[secret]" then \\',
  });
});

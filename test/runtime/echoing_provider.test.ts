/**
 * Providers that repeat in their answers what they were sent and what they know: the key, a buyer's e-mail and
 * phone number, escapes of a terminal, a megabyte. A worker as it is started for real meets them, then a person
 * looks at what became of it. Nothing of that may be found anywhere: in no row, line of log, report or output.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { enqueue } from '#tasks/enqueue.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { dumpOf } from '../support/db/dump.ts';
import { eventually } from '../support/eventually.ts';
import { bareEnv } from '../support/program.ts';
import { type Answer, type Asked, fakeProvider, json } from '../support/providers/provider.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { aBrand, aConnection, TEST_KEYS } from '../support/rows/factory.ts';
import { sentryServer } from '../support/sentry.ts';

const root = join(import.meta.dirname, '../..');

const OPAQUE_TOKEN = '5d41402abc4b2a76b9719d911017c592'; // as private apps had them: it looks like nothing
const APP_SECRET = 'an app secret, "quoted"';
const STRIPE_KEY = 'rk_live_51Habcdefghijklmnopqrstuv';
const EMAIL = 'anna.buyer@mail.example.com';
const PHONE = '7700 900123';
const MEGABYTE = 'x'.repeat(1_000_000);

const echo = (key: unknown) =>
  `The key ${key} of ${EMAIL}, +44 ${PHONE}, \u001b[2J\u001b]0;owned\u0007\u009b31m is wrong: ${MEGABYTE}`;

/** Of whatever kind the request has one. */
const keyOf = ({ headers, body }: Asked) =>
  `${headers.authorization ?? headers['x-shopify-access-token'] ?? body}`;

const saying =
  (status: number, body: (said: string) => object): Answer =>
  (response, asked) =>
    json(body(echo(keyOf(asked))), {
      status,
      headers: {
        'request-id': `req_${EMAIL}`,
        'stripe-version': `${EMAIL} ${keyOf(asked).replace(/[^\w ]/g, '')}`,
        'x-shopify-api-version': `2026 ${EMAIL}`,
      },
    })(response, asked);

const graphqlErrors = (extensions: (said: string) => object) =>
  saying(200, (said) => ({ errors: [{ message: said, extensions: extensions(said) }] }));

const stripeError = (status: number, more: object = {}) =>
  saying(status, (said) => ({ error: { message: said, param: said, ...more } }));

const charge = (said: string) => ({
  ...{ id: `ch_${MEGABYTE.slice(0, 900)}`, object: 'charge', created: NOW_SECONDS - 60 },
  ...{ status: 'succeeded', paid: said, currency: said, description: said, metadata: { note: said } },
});

type Case = { answer: Answer; provider?: 'stripe'; auth?: string; secret?: string; stream?: string };

const stripe = (answer: Answer): Case => ({ provider: 'stripe', auth: 'key', secret: STRIPE_KEY, answer });
const shop = (answer: Answer): Case => ({ auth: 'token', secret: OPAQUE_TOKEN, answer });

const cases: Record<string, Case> = {
  stripe400: stripe(stripeError(400, { code: 'parameter_invalid' })),
  stripe401: stripe(stripeError(401)),
  stripe403: stripe(stripeError(403)),
  stripe404: stripe(stripeError(404, { code: 'resource_missing' })),
  stripecode: stripe(saying(400, (said) => ({ error: { code: said, message: { deep: said } } }))),
  stripeaccount: stripe(saying(200, (said) => ({ object: 'account', id: said }))),
  striperecord: stripe((response, asked) => {
    if (asked.path.includes('/v1/account'))
      return json({ object: 'account', id: 'acct_striperecord' })(response, asked);
    const data = asked.path.includes('/v1/charges') ? [charge(echo(keyOf(asked)))] : [];
    json({ object: 'list', has_more: false, data })(response, asked);
  }),
  shop400: shop(saying(400, (said) => ({ errors: said }))),
  shop401: shop(saying(401, (said) => ({ errors: { deep: [said] } }))),
  shop402: shop(saying(402, (said) => ({ error: said }))),
  shop403: shop(saying(403, (said) => ({ error_description: said }))),
  shop423: shop(saying(423, (said) => ({ errors: said }))),
  shopdenied: shop(
    graphqlErrors((said) => ({ code: 'ACCESS_DENIED', requiredAccess: `read_orders ${said}` })),
  ),
  shopcode: shop(graphqlErrors((said) => ({ code: said }))),
  shopwarns: shop(
    saying(200, (said) => ({
      data: {},
      extensions: { search: [{ warnings: [{ field: said, message: said }] }] },
    })),
  ),
  shopshape: shop(
    saying(200, (said) => ({ data: { shop: { [said]: said }, currentAppInstallation: said } })),
  ),
  shopapp: {
    ...{ auth: 'client_credentials', secret: JSON.stringify({ client_id: 'id', client_secret: APP_SECRET }) },
    answer: saying(400, (said) => ({ error: said, error_description: said })),
  },
};

/** Nothing of this may be found anywhere. */
const NEEDLES = [
  ...[OPAQUE_TOKEN, APP_SECRET, JSON.stringify(APP_SECRET).slice(1, -1), STRIPE_KEY, STRIPE_KEY.slice(8)],
  ...[EMAIL, 'anna.buyer', PHONE, '\u001b', '\\u001b', '\u009b', '\\u009b', '\u0007', 'x'.repeat(2_001)],
];

const found = (texts: readonly string[]) =>
  texts.flatMap((one) =>
    NEEDLES.filter((needle) => one.includes(needle)).map(
      (needle) => `${JSON.stringify(needle.slice(0, 40))} in ${JSON.stringify(one.slice(0, 400))}`,
    ),
  );

async function addConnections(db: TestDb, url: string): Promise<void> {
  const brand = await aBrand(db, { slug: 'acme' });
  for (const [name, { answer: _, stream, ...one }] of Object.entries(cases)) {
    const account = one.provider ? `acct_${name}` : `${name}.myshopify.com`;
    const baseUrl = `${url}/${name}`;
    const { brandId, id: connectionId } = await aConnection(db, {
      ...one,
      name,
      account,
      baseUrl,
      brandId: brand.id,
    });
    const wanted = one.provider ? 'stripe.charges' : 'shopify.orders';
    await db.transaction((tx) =>
      enqueue(tx, syncStream, { brandId, connectionId, stream: stream ?? wanted }),
    );
  }
}

/** Until every job has been tried; gives its log. */
async function work(db: TestDb, env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'bin/worker.ts')], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log = text(child.stderr);
  try {
    const ended = "select distinct job_id from ops.job_runs where outcome <> 'running'";
    for (let jobs = 1; jobs <= Object.keys(cases).length; jobs++)
      await eventually(async () => expect((await db.column(ended)).length).toBeGreaterThanOrEqual(jobs));
  } finally {
    child.kill('SIGTERM');
  }
  return log;
}

async function lookAround(db: TestDb, env: Record<string, string>): Promise<string[]> {
  const jobs = (await db.column('select distinct job_id from ops.job_runs order by 1 limit 3')).map(String);
  const commands = [
    ...[['status'], ['sync', 'status', '--brand', 'acme'], ['sync', 'status', '--brand', 'acme', '--checks']],
    ...[
      ['jobs', 'list'],
      ['jobs', 'list', '--finished'],
      ['connections', 'list', '--brand', 'acme'],
    ],
    ...jobs.map((job) => ['jobs', 'show', job]),
    ...['stripe401', 'shop400', 'shopapp'].map((name) => [
      ...['connections', 'check', name, '--brand', 'acme'],
    ]),
  ];
  const said: string[] = [];
  for (const command of commands) {
    const { stdout, stderr } = await nightshift(said.length % 2 === 0 ? command : [...command, '--json'], {
      env,
    });
    said.push(`${command.join(' ')}: ${stdout}${stderr}`);
  }
  return said;
}

test('what providers echo of keys, buyers, escapes and megabytes is found nowhere', async () => {
  await using db = await freshDb();
  await using sentry = await sentryServer();
  await using provider = await fakeProvider((response, asked) => {
    const name = asked.path.split('/')[1] ?? '';
    (cases[name]?.answer ?? json({}, { status: 500 }))(response, asked);
  });
  await addConnections(db, provider.url);
  const dataDir = await mkdtemp(join(tmpdir(), 'nightshift-echo-'));
  const env = {
    ...{
      ...bareEnv,
      DATABASE_URL: db.url,
      NIGHTSHIFT_DATA_DIR: dataDir,
      NIGHTSHIFT_LOG_LEVEL: 'trace',
    },
    NIGHTSHIFT_SECRET_KEYS: TEST_KEYS,
  };
  const log = await work(db, { ...env, SENTRY_DSN: sentry.dsn });
  const said = await lookAround(db, env);
  await rm(dataDir, { recursive: true });
  const dump = await dumpOf(db);

  expect(provider.asked.map(keyOf).join()).toContain(OPAQUE_TOKEN); // they did get what they echo
  expect(found(dump)).toEqual([]);
  expect(found(log.split('\n'))).toEqual([]);
  expect(found(sentry.received.map(({ raw }) => raw))).toEqual([]);
  expect(found(said)).toEqual([]);

  // What happened is told all the same, in each of the places.
  const places = {
    cause: "select cause from ops.positions where state = 'failing'",
    error: 'select error_message from ops.job_runs where error_message is not null',
    lastError: 'select last_error from graphile_worker.jobs where last_error is not null',
    held: 'select held_reason from app.connections where held_at is not null',
    setAside: 'select reason from ops.rejected_rows',
  };
  for (const [place, query] of Object.entries(places)) {
    const texts = (await db.column(query)).join('\n');
    expect(texts, place).toMatch(/\[secret\]/);
    if (place !== 'setAside')
      expect(texts, place).toMatch(/\[e-mail\].*\[phone\].* \(1000\d{3} characters\)/);
  }
  for (const place of [log, said.join('\n'), sentry.received.map(({ raw }) => raw).join('\n')])
    expect(place).toMatch(/\[secret\].*\[e-mail\].*\[phone\]/);
});

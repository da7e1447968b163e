import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig, variables } from '#runtime/config.ts';

const key = () => randomBytes(32).toString('base64');

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(env);
  } catch (error) {
    expect(error).toMatchObject({ code: 'NS_CONFIG', verdict: 'give_up' });
    return (error as { context: { faults: string[] } }).context.faults;
  }
  return [];
}

test('an empty environment gives the defaults', () => {
  expect(readConfig({})).toEqual({
    databaseUrl: undefined,
    dataDir: '.nightshift',
    secretKeys: undefined,
    snapshots: { dir: '.nightshift/snapshots', bucket: undefined, minutes: 30, rate: 0 },
    pings: {},
    allowedHosts: [],
    ecbUrl: 'https://www.ecb.europa.eu/stats/eurofxref',
    concurrency: 4,
    drainSeconds: 20,
    stallSeconds: 30,
    logLevel: 'info',
    sentryDsn: undefined,
    web: { public: { host: '127.0.0.1', port: 8360 }, metrics: { host: '127.0.0.1', port: 8361 } },
  });
});

test('a variable that is set to nothing is not set', () => {
  const empty = Object.fromEntries(variables.map(({ name }) => [name, ' ']));
  expect(readConfig(empty)).toEqual(readConfig({}));
});

test('every variable reaches its field', () => {
  const [first, second] = [key(), key()];
  const config = readConfig({
    DATABASE_URL: 'postgresql://u:p@db/shop',
    NIGHTSHIFT_DATA_DIR: '/data',
    NIGHTSHIFT_SECRET_KEYS: `2026b:${first}, 2026a:${second}`,
    NIGHTSHIFT_ALLOWED_HOSTS: 'Proxy.example, other.example:8443',
    NIGHTSHIFT_ECB_URL: 'https://mirror.example/rates',
    NIGHTSHIFT_CONCURRENCY: '12',
    NIGHTSHIFT_DRAIN_SECONDS: '0',
    NIGHTSHIFT_LOG_LEVEL: 'debug',
    SENTRY_DSN: 'https://public@sentry.example/1',
  });
  expect(config).toMatchObject({
    databaseUrl: 'postgresql://u:p@db/shop',
    dataDir: '/data',
    ecbUrl: 'https://mirror.example/rates',
    logLevel: 'debug',
  });
  expect(config).toMatchObject({
    concurrency: 12,
    drainSeconds: 0,
    sentryDsn: 'https://public@sentry.example/1',
  });
  expect(config.allowedHosts).toEqual(['proxy.example', 'other.example:8443']);
  expect(config.secretKeys).toEqual([
    { id: '2026b', key: Buffer.from(first, 'base64') },
    { id: '2026a', key: Buffer.from(second, 'base64') },
  ]);
});

test('a bucket is s3://bucket/prefix; other endpoints have it in the path of their addresses', () => {
  const bucketOf = (env: NodeJS.ProcessEnv) => readConfig(env).snapshots.bucket;
  const amazon = { bucket: 'backups', prefix: '', endpoint: undefined, region: undefined, pathStyle: false };
  expect(bucketOf({ NIGHTSHIFT_SNAPSHOT_STORE: 's3://backups' })).toEqual(amazon);
  const other = {
    NIGHTSHIFT_SNAPSHOT_STORE: 's3://backups/nightshift/eu/',
    NIGHTSHIFT_SNAPSHOT_ENDPOINT: 'http://minio:9000',
    NIGHTSHIFT_SNAPSHOT_REGION: 'eu-central-1',
  };
  const found = {
    bucket: 'backups',
    prefix: 'nightshift/eu',
    endpoint: 'http://minio:9000',
    region: 'eu-central-1',
  };
  expect(bucketOf(other)).toEqual({ ...found, pathStyle: true });
  expect(bucketOf({ ...other, NIGHTSHIFT_SNAPSHOT_PATH_STYLE: 'no' })).toEqual({
    ...found,
    pathStyle: false,
  });
  expect(bucketOf({ NIGHTSHIFT_SNAPSHOT_DIR: '/snapshots' })).toBeUndefined();
});

test.each([
  [
    'NIGHTSHIFT_SNAPSHOT_STORE',
    's3://',
    's3://Backups',
    'backups/x',
    's3://a/../b',
    's3://backups//x',
    's3://k:s@backups',
  ],
  ['NIGHTSHIFT_SNAPSHOT_ENDPOINT', 'minio:9000', 'https://key:secret@minio', 'https://minio/?key=secret'],
  ['NIGHTSHIFT_SNAPSHOT_REGION', 'eu central'],
  ['NIGHTSHIFT_SNAPSHOT_PATH_STYLE', 'true'],
])('%s is refused if it does not have its form', (name, ...values) => {
  for (const value of values) {
    const faults = faultsOf({ NIGHTSHIFT_SNAPSHOT_STORE: 's3://backups', [name]: value });
    expect(faults, value).toEqual([expect.stringMatching(`^${name} must`)]);
  }
});

test('an endpoint without a bucket is refused: snapshots would stay on this machine, unseen', () => {
  expect(faultsOf({ NIGHTSHIFT_SNAPSHOT_ENDPOINT: 'https://minio' })).toEqual([
    'NIGHTSHIFT_SNAPSHOT_STORE is needed with an endpoint, region or path style',
  ]);
});

test('all faults come in one error, each under its variable and none with its value', () => {
  const wrong = {
    DATABASE_URL: 'mysql://wrong-value',
    NIGHTSHIFT_SECRET_KEYS: 'a:wrong-value',
    NIGHTSHIFT_ALLOWED_HOSTS: 'https://wrong-value/path',
    NIGHTSHIFT_ECB_URL: 'wrong-value',
    NIGHTSHIFT_CONCURRENCY: '4 wrong-value',
    NIGHTSHIFT_DRAIN_SECONDS: '-1',
    NIGHTSHIFT_LOG_LEVEL: 'wrong-value',
    SENTRY_DSN: 'wrong-value',
  };
  const faults = faultsOf(wrong);
  expect(faults.map((fault) => fault.split(' ')[0]).sort()).toEqual(Object.keys(wrong).sort());
  expect(faults.join()).not.toContain('wrong-value');
  for (const fault of faults) expect(() => readConfig(wrong)).toThrow(fault);
});

test.each(['0', '101', '1.5', '1e1', '0x4'])('a concurrency of %s is refused', (value) => {
  expect(faultsOf({ NIGHTSHIFT_CONCURRENCY: value })).toEqual([
    'NIGHTSHIFT_CONCURRENCY must be a whole number from 1 to 100',
  ]);
});

test('a key id that stands twice is refused, because it could not say which key opens', () => {
  expect(faultsOf({ NIGHTSHIFT_SECRET_KEYS: `a:${key()},a:${key()}` })).toEqual([
    'NIGHTSHIFT_SECRET_KEYS names the same key id twice',
  ]);
});

test('docs/operations.md lists every variable with its default and meaning', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$/gm)].map(
    ([, name, standard, about]) => ({
      name,
      default: standard?.replaceAll('`', ''),
      about,
    }),
  );
  expect(rows).toEqual(variables);
});

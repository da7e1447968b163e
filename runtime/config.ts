/**
 * Everything that comes from the environment. The entry of a process reads it once at start; lower layers get
 * values. One message reports all faults. An empty variable counts as not set.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { isSafeAddress, isSafeBase, withoutEndingSlashes } from './addresses.ts';
import { type Bucket, bucketOf, isEndpoint, isStore, STORE_FORM } from './bucket.ts';
import { isCurrency } from './currencies.ts';
import { coded } from './errors.ts';
import { type LogLevel, logLevels } from './log.ts';

/** A key that seals the secrets of connections. */
export type SecretKey = { id: string; key: Buffer };

export type Config = {
  /** The PostgreSQL to use; without it an embedded one is started. */
  databaseUrl: string | undefined;
  dataDir: string;
  /**
   * The directory of snapshots, or of what is not yet in their bucket; how long their transactions may last, how many MB
   * a second they read at most, and another server to prove them on.
   */
  snapshots: { dir: string; bucket: Bucket | undefined; minutes: number; rate: number; drillUrl?: string };
  /** The first key seals; each key opens what it has sealed. */
  secretKeys: SecretKey[] | undefined;
  /** Hosts besides the providers' own that a connection may point to. */
  allowedHosts: string[];
  /** The directory of the ECB's feeds of exchange rates. */
  ecbUrl: string;
  /** Reporting currency of cross-brand figures; undefined keeps the value in the database. */
  platformCurrency: string | undefined;
  /** Jobs that one worker process runs at a time. */
  concurrency: number;
  drainSeconds: number;
  /** 0 turns the check off: the event loop of a worker may block for ever. */
  stallSeconds: number;
  logLevel: LogLevel;
  sentryDsn: string | undefined;
  /** Where the web server listens: for deliveries, and for those who read its metrics. */
  web: { public: { host: string; port: number }; metrics: { host: string; port: number } };
  /** Where providers reach it, without a slash at the end. */
  publicUrl: string | undefined;
  /** Takes alerts, signed with the secret. */
  alertWebhook: { url: string; secret: string } | undefined;
  /** Addresses of an outside watch: what schedulers tell that they look, and what is told that all nights are kept. */
  pings: { scheduler: string | undefined; nights: string | undefined };
};

const CONCURRENCY_MAX = 100;
const DRAIN_SECONDS_MAX = 3600;
const ALERT_SECRET_CHARS_MIN = 16;
const STALL_SECONDS_MAX = 3600;
const PORT_MAX = 65_535;
const SNAPSHOT_MINUTES_MAX = 24 * 60;
const SNAPSHOT_RATE_MAX = 100_000;
const KEY_BYTES = 32; // AES-256

export class ConfigRejected extends coded('NS_CONFIG') {
  constructor(faults: string[]) {
    super(`The environment is not valid:\n${faults.map((fault) => `  ${fault}`).join('\n')}`, {
      hint: 'docs/operations.md lists every variable.',
      context: { faults },
    });
  }
}

// Messages name the expected form and never repeat a value, because it may be a secret.
const environment = z.object({
  DATABASE_URL: address('postgres:', 'postgresql:')
    .optional()
    .describe('The PostgreSQL server to use, 15 or newer; without it Nightshift starts its own.'),
  NIGHTSHIFT_DATA_DIR: z
    .string()
    .prefault('.nightshift')
    .describe('Where the embedded PostgreSQL keeps its data; for root, a pointer to where they are.'),
  NIGHTSHIFT_SNAPSHOT_DIR: z
    .string()
    .optional()
    .describe('Where snapshots are stored. If unset, in `snapshots` of the directory for data.'),
  NIGHTSHIFT_SNAPSHOT_STORE: z
    .string()
    .refine(isStore, STORE_FORM)
    .optional()
    .describe(
      'Stores snapshots in object storage instead, s3://bucket/prefix; NIGHTSHIFT_SNAPSHOT_DIR has what is not uploaded yet.',
    ),
  NIGHTSHIFT_SNAPSHOT_ENDPOINT: z
    .string()
    .refine(isEndpoint, 'must be an address that begins with https:// or http://, without keys in it')
    .optional()
    .describe("Address of that storage. If unset, Amazon's own."),
  NIGHTSHIFT_SNAPSHOT_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,50}$/, 'must be the name of a region, such as eu-central-1')
    .optional()
    .describe('Its region. If unset, AWS_REGION or that of the profile; us-east-1 at another endpoint.'),
  NIGHTSHIFT_SNAPSHOT_PATH_STYLE: z
    .enum(['yes', 'no'], { error: 'must be yes or no' })
    .optional()
    .describe('Whether its addresses have the bucket in their path. If unset, yes at another endpoint.'),
  NIGHTSHIFT_SNAPSHOT_MINUTES: wholeNumber(1, SNAPSHOT_MINUTES_MAX)
    .prefault('30')
    .describe('How long the transactions of a snapshot may last; vacuum keeps what was deleted meanwhile.'),
  NIGHTSHIFT_SNAPSHOT_RATE: wholeNumber(0, SNAPSHOT_RATE_MAX)
    .prefault('0')
    .describe('Megabytes a second that a snapshot reads at most; 0 for no limit.'),
  NIGHTSHIFT_DRILL_URL: address('postgres:', 'postgresql:')
    .optional()
    .describe(
      'A PostgreSQL server of another major version, with a database to connect to: the weekly drill restores there. If unset, beside the live database.',
    ),
  NIGHTSHIFT_SECRET_KEYS: z
    .string()
    .transform(secretKeys)
    .optional()
    .describe(
      'Keys for the secrets of connections: id:key[,id:key…], each key 32 bytes in base64; the first one seals.',
    ),
  NIGHTSHIFT_ALLOWED_HOSTS: z
    .string()
    .transform(hosts)
    .prefault('')
    .describe(
      "Hosts, separated by commas, that a connection may use besides the providers' own and loopback.",
    ),
  NIGHTSHIFT_ECB_URL: address('http:', 'https:')
    .prefault('https://www.ecb.europa.eu/stats/eurofxref')
    .describe('Address of the exchange rate feeds, such as a mirror or the sandbox.'),
  NIGHTSHIFT_PLATFORM_CURRENCY: z
    .string()
    .refine(isCurrency, 'must be the three capital letters of a currency, such as EUR')
    .optional()
    .describe('Reporting currency of cross-brand figures. If unset, the last value is kept (initially EUR).'),
  NIGHTSHIFT_CONCURRENCY: wholeNumber(1, CONCURRENCY_MAX)
    .prefault('4')
    .describe('Jobs that one worker process runs at a time.'),
  NIGHTSHIFT_DRAIN_SECONDS: wholeNumber(0, DRAIN_SECONDS_MAX)
    .prefault('20')
    .describe('How long a stopping worker may continue its jobs before it hands them back.'),
  NIGHTSHIFT_STALL_SECONDS: wholeNumber(0, STALL_SECONDS_MAX)
    .prefault('30')
    .describe(
      'How long the event loop of a worker may block before the process ends itself, at most the time of a stop; 0 turns the check off.',
    ),
  NIGHTSHIFT_WEB_HOST: listened()
    .prefault('127.0.0.1')
    .describe('Address on which the web server takes deliveries; 0.0.0.0 for every network.'),
  NIGHTSHIFT_WEB_PORT: wholeNumber(0, PORT_MAX)
    .prefault('8360')
    .describe('Port on which it takes deliveries; 0 for a free one.'),
  NIGHTSHIFT_PUBLIC_URL: z
    .string()
    .refine(isSafeBase, 'must be an address that begins with https://, or http:// of this machine')
    .transform(withoutEndingSlashes)
    .optional()
    .describe(
      'Where providers reach the web server, through your proxy: `connections webhooks add` tells them.',
    ),
  NIGHTSHIFT_METRICS_HOST: listened()
    .prefault('127.0.0.1')
    .describe('Address on which the web server tells its metrics; they are not for everyone.'),
  NIGHTSHIFT_METRICS_PORT: wholeNumber(0, PORT_MAX)
    .prefault('8361')
    .describe('Port on which it tells its metrics; 0 for a free one.'),
  NIGHTSHIFT_LOG_LEVEL: z
    .enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` })
    .prefault('info')
    .describe('The lowest log level that is written.'),
  NIGHTSHIFT_ALERT_URL: address('http:', 'https:')
    .optional()
    .describe('Where alerts are sent as signed JSON. If unset, nothing is sent.'),
  NIGHTSHIFT_ALERT_SECRET: z
    .string()
    .min(ALERT_SECRET_CHARS_MIN, `must have at least ${ALERT_SECRET_CHARS_MIN} characters`)
    .optional()
    .describe('Signs alerts; required with NIGHTSHIFT_ALERT_URL.'),
  NIGHTSHIFT_PING_SCHEDULER_URL: pingAddress().describe(
    'An outside watch is told here, each minute, that a scheduler has looked at everything that is due.',
  ),
  NIGHTSHIFT_PING_NIGHTS_URL: pingAddress().describe(
    'An outside watch is told here, each hour, that the figures due of every brand are final.',
  ),
  SENTRY_DSN: address('http:', 'https:')
    .optional()
    .describe('Where errors are reported. If unset, nothing is sent.'),
});

/** Each variable with its default and meaning: docs/operations.md repeats it, and a test compares them. */
export const variables = Object.entries(environment.shape).map(([name, schema]) => ({
  name,
  default: schema.def.type === 'prefault' ? String(schema.def.defaultValue) : '',
  about: schema.description ?? '',
}));

/** Call it once per process, with `process.env`. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim() !== ''));
  const { data, error } = environment.safeParse(given);
  if (error)
    throw new ConfigRejected(error.issues.map(({ path, message }) => `${path.join('.')} ${message}`));
  return {
    databaseUrl: data.DATABASE_URL,
    dataDir: data.NIGHTSHIFT_DATA_DIR,
    secretKeys: data.NIGHTSHIFT_SECRET_KEYS,
    snapshots: {
      dir: data.NIGHTSHIFT_SNAPSHOT_DIR ?? join(data.NIGHTSHIFT_DATA_DIR, 'snapshots'),
      bucket: snapshotBucketOf(data),
      minutes: data.NIGHTSHIFT_SNAPSHOT_MINUTES,
      rate: data.NIGHTSHIFT_SNAPSHOT_RATE,
      ...(data.NIGHTSHIFT_DRILL_URL && { drillUrl: data.NIGHTSHIFT_DRILL_URL }),
    },
    allowedHosts: data.NIGHTSHIFT_ALLOWED_HOSTS,
    ecbUrl: data.NIGHTSHIFT_ECB_URL,
    platformCurrency: data.NIGHTSHIFT_PLATFORM_CURRENCY,
    concurrency: data.NIGHTSHIFT_CONCURRENCY,
    drainSeconds: data.NIGHTSHIFT_DRAIN_SECONDS,
    stallSeconds: data.NIGHTSHIFT_STALL_SECONDS,
    logLevel: data.NIGHTSHIFT_LOG_LEVEL,
    sentryDsn: data.SENTRY_DSN,
    web: {
      public: { host: data.NIGHTSHIFT_WEB_HOST, port: data.NIGHTSHIFT_WEB_PORT },
      metrics: { host: data.NIGHTSHIFT_METRICS_HOST, port: data.NIGHTSHIFT_METRICS_PORT },
    },
    publicUrl: data.NIGHTSHIFT_PUBLIC_URL,
    alertWebhook: alertWebhookOf(data.NIGHTSHIFT_ALERT_URL, data.NIGHTSHIFT_ALERT_SECRET),
    pings: { scheduler: data.NIGHTSHIFT_PING_SCHEDULER_URL, nights: data.NIGHTSHIFT_PING_NIGHTS_URL },
  };
}

function alertWebhookOf(url: string | undefined, secret: string | undefined): Config['alertWebhook'] {
  if (url === undefined) return undefined;
  if (secret === undefined)
    throw new ConfigRejected(['NIGHTSHIFT_ALERT_SECRET is needed with NIGHTSHIFT_ALERT_URL']);
  return { url, secret };
}

/** One who has forgotten the bucket would find the snapshots on this machine one day. */
function snapshotBucketOf(data: z.output<typeof environment>): Bucket | undefined {
  const store = data.NIGHTSHIFT_SNAPSHOT_STORE;
  const style = data.NIGHTSHIFT_SNAPSHOT_PATH_STYLE;
  const others = { endpoint: data.NIGHTSHIFT_SNAPSHOT_ENDPOINT, region: data.NIGHTSHIFT_SNAPSHOT_REGION };
  if (store === undefined && (others.endpoint ?? others.region ?? style) !== undefined)
    throw new ConfigRejected(['NIGHTSHIFT_SNAPSHOT_STORE is needed with an endpoint, region or path style']);
  return bucketOf({ store, ...others, pathStyle: style && style === 'yes' });
}

function address(...protocols: string[]) {
  const fits = (text: string) => URL.canParse(text) && protocols.includes(new URL(text).protocol);
  return z
    .string()
    .refine(fits, `must be an address that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`);
}

function pingAddress() {
  return z
    .string()
    .refine(isSafeAddress, 'must be an address that begins with https://, or http:// of this machine')
    .optional();
}

function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  const fits = (text: string) => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max;
  return z.string().refine(fits, message).transform(Number);
}

function listened() {
  return z.string().regex(/^[a-zA-Z0-9.:-]{1,255}$/, 'must be a host name or an IP address, without a port');
}

function hosts(text: string, context: z.RefinementCtx): string[] {
  const list = entries(text).map((host) => host.toLowerCase());
  const wrong = list.some((host) => !/^[a-z0-9.-]+(:\d+)?$|^\[[0-9a-f:]+\](:\d+)?$/.test(host));
  if (wrong) context.addIssue('must be host names separated by commas, without https:// and without a path');
  return list;
}

function secretKeys(text: string, context: z.RefinementCtx): SecretKey[] {
  const keys = entries(text).map((entry) => {
    const [, id = '', encoded = ''] = /^([\w.-]{1,64}):([A-Za-z0-9+/_-]+={0,2})$/.exec(entry) ?? [];
    return { id, key: Buffer.from(encoded, 'base64') };
  });
  if (keys.length === 0 || keys.some(({ id, key }) => id === '' || key.length !== KEY_BYTES)) {
    context.addIssue(`must be id:key pairs separated by commas, each key ${KEY_BYTES} bytes in base64`);
  } else if (new Set(keys.map(({ id }) => id)).size < keys.length) {
    context.addIssue('names the same key id twice');
  }
  return keys;
}

function entries(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

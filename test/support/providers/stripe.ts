import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import Stripe from 'stripe';
import { startSandbox } from '../../../sandbox/server.ts';

export const ACCOUNT = 'acct_acme';
export const KEY = 'rk_test_acme';
export const NOW = '2026-11-20T06:00:00Z';
export const NOW_SECONDS = Date.parse(NOW) / 1000;

const SCHEMA = new URL('../../../sandbox/stripe/objects-2026-10-28.schema.json.gz', import.meta.url);

export type Files = Record<string, readonly unknown[] | string>;

/** A scenario directory; `charges` means the file of the account `acct_acme`, a path is taken as it is. */
export async function stripeDir(files: Files, scenario: object = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-stripe-'));
  const stripe = { [ACCOUNT]: { key: KEY } };
  await writeFile(join(dir, 'scenario.json'), JSON.stringify({ now: NOW, stripe, ...scenario }));
  for (const [file, rows] of Object.entries(files)) {
    const path = join(dir, file.includes('/') ? file : `stripe/${ACCOUNT}/${file}.ndjson`);
    await mkdir(dirname(path), { recursive: true });
    const lines = typeof rows === 'string' ? rows : rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    await writeFile(path, lines);
  }
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

/** A sandbox over a scenario that is gone with it. */
export async function stripeSandbox(files: Files, scenario: object = {}) {
  const data = await stripeDir(files, scenario);
  const sandbox = await startSandbox({ data: data.dir });
  return {
    ...sandbox,
    dir: data.dir,
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      await data[Symbol.asyncDispose]();
    },
  };
}

/** Stripe's own client, pointed at a sandbox. */
export function client({ port }: { port: number }, key = KEY, options: object = {}): Stripe {
  const local = {
    host: '127.0.0.1',
    port,
    protocol: 'http',
    telemetry: false,
    maxNetworkRetries: 0,
  } as const;
  return new Stripe(key, { ...local, ...options });
}

export type Raw = { status: number; headers: Headers; body: Record<string, unknown> };

/** One request without a client between. */
export async function rawGet({ url }: { url: string }, path: string, headers: object = {}): Promise<Raw> {
  const answer = await fetch(`${url}/stripe/v1/${path}`, {
    headers: { authorization: `Bearer ${KEY}`, ...headers },
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Raw['body'] };
}

let ajv: Ajv2020 | undefined;

/** Fails unless an answer is what Stripe's own types say. */
export async function assertValid(object: string, value: unknown): Promise<void> {
  if (!ajv) {
    const schema = JSON.parse(gunzipSync(await readFile(SCHEMA)).toString('utf8'));
    ajv = new Ajv2020({ strict: false, inlineRefs: false });
    ajv.addSchema(schema, 'stripe');
  }
  const validate = ajv.getSchema(`stripe#/$defs/${object}`);
  if (!validate) throw new Error(`no schema of ${object}`);
  if (validate(value)) return;
  throw new Error(`${object}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value).slice(0, 1_000)}`);
}

export function charge(id: string, more: object = {}): object {
  return { id, amount: 1_000, currency: 'usd', created: NOW_SECONDS - 86_400, ...more };
}

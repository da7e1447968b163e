/** The audit log: actions of operators, stored in the transaction of the action. It never holds a secret. */
import { userInfo } from 'node:os';
import { scrubValue } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';

/** All that may be said, by noun. */
const VERBS = {
  brands: ['add', 'keep', 'remove', 'remove_begin', 'rename', 'reporting_currency', 'set_ping', 'time_zone'],
  campaigns: ['add', 'edit', 'link', 'remove', 'spend', 'unlink', 'window'],
  connections: [
    ...['add', 'check', 'hold', 'key', 'limits', 'limits_reset', 'map', 'move'],
    ...['persons', 'release', 'remove', 'remove_begin', 'rename', 'reseal', 'set_url', 'unmap'],
    ...['webhooks_add', 'webhooks_relay', 'webhooks_remove', 'webhooks_secret', 'zone'],
  ],
  events: ['codes_add', 'codes_remove', 'import', 'keys_add', 'keys_remove'],
  failures: ['ack', 'note', 'reopen', 'take'],
  forecast: ['run'],
  fx: ['change', 'import', 'sync', 'withdraw'],
  jobs: ['cancel', 'discard', 'pause', 'prune', 'resume', 'retry'],
  mail: ['digest', 'discard', 'retry', 'send', 'sender'],
  periods: ['close', 'reopen'],
  platform: ['currency', 'migrate'],
  privacy: ['done', 'export', 'request'],
  rankings: ['weights'],
  restatements: ['alert'],
  retailers: ['add', 'remove', 'remove_begin', 'rename'],
  rollup: ['run'],
  schedules: ['add', 'backfill', 'edit', 'pause', 'remove', 'resume', 'run'],
  snapshots: ['create', 'expire', 'pin', 'rekey', 'restore', 'sync', 'unpin', 'verify'],
  stock: ['reorder', 'unorder'],
  sync: ['accept', 'dismiss', 'reconcile', 'run'],
} as const;

type Noun = keyof typeof VERBS;
export type VerbOf<N extends Noun> = (typeof VERBS)[N][number];
export type ActionName = { [N in Noun]: `${N}.${VerbOf<N>}` }[Noun];

export const actions: readonly string[] = Object.entries(VERBS).flatMap(([noun, verbs]) =>
  verbs.map((verb) => `${noun}.${verb}`),
);

export type Action = {
  action: ActionName;
  brandId?: string;
  /** The target, by the name that people use. */
  target: string;
  /** The values that it changes; nothing where it makes something. */
  before?: Values;
  /** The same values as it leaves them; nothing where it removes something. */
  after?: Values;
  /** Further parameters of the action. */
  details?: Values;
  /** Who did it; defaults to the account that the command runs as. */
  actor?: string;
};

type Values = Record<string, unknown>;

export async function recordAction(
  tx: Tx,
  { action, brandId, target, before, after, details = {}, actor }: Action,
): Promise<void> {
  const json = (values: Values | undefined) => values && JSON.stringify(values, scrubValue);
  await tx.query(
    `insert into ops.audit_log (actor, action, brand_id, target, before, after, details)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [actor ?? currentAccount(), action, brandId, target, json(before), json(after), json(details)],
  );
}

/** The account that this process runs as. */
export function currentAccount(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`; // an account without a name, as in containers
  }
}

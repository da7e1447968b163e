/** The audit log: actions of operators, stored in the transaction of the action. It never holds a secret. */
import { userInfo } from 'node:os';
import { scrubValue } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';

export type Action = {
  /** As `noun.verb`. */
  action: string;
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

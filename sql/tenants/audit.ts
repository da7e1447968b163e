/** The audit log: actions of operators, stored in the transaction of the action. Details never hold a secret. */
import { userInfo } from 'node:os';
import { scrubValue } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';

export type Action = {
  /** As `noun.verb`. */
  action: string;
  brandId?: string;
  /** The target, by the name that people use. */
  target: string;
  details?: Record<string, unknown>;
  /** Who did it; defaults to the account that the command runs as. */
  actor?: string;
};

export async function recordAction(
  tx: Tx,
  { action, brandId, target, details = {}, actor }: Action,
): Promise<void> {
  await tx.query(
    `insert into ops.audit_log (actor, action, brand_id, target, details) values ($1, $2, $3, $4, $5)`,
    [actor ?? currentAccount(), action, brandId ?? null, target, JSON.stringify(details, scrubValue)],
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

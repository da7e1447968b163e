/** What people say of a group of failures: who sees to it, what is known, that it has been seen. */
import { coded } from '#runtime/errors.ts';
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction, type VerbOf } from '../tenants/audit.ts';
import { keepBrand } from '../tenants/removing.ts';
import { FailureNotFound } from './failures.ts';

export class FailureState extends coded('NS_FAILURE_STATE') {}

/** The last word counts; null takes it back. */
export function takeFailure(tx: Tx, id: string, owner: string | null): Promise<void> {
  return say(tx, id, 'take', { owner: owner && scrub(owner) });
}

export function noteFailure(tx: Tx, id: string, note: string | null): Promise<void> {
  return say(tx, id, 'note', { note: note && scrub(note) });
}

export type Acknowledgement = {
  by: string;
  /** It is open again from then on. */
  until: Date;
  /** And after more further failures than this. */
  moreThan: number | undefined;
};

/** It is open again, too, as soon as it concerns another connection than now. */
export async function acknowledgeFailure(
  tx: Tx,
  id: string,
  { by, until, moreThan }: Acknowledgement,
): Promise<void> {
  await lockWords(tx, id);
  const { rows } = await tx.query<
    Pick<Words, 'failures_then' | 'connections_then'> & { acknowledged_at: Date }
  >(
    `select failures as failures_then, connections as connections_then, now() as acknowledged_at
     from ops.failure_groups where id = $1`,
    [id],
  );
  const [now] = rows;
  if (now === undefined) throw new FailureNotFound(id);
  if (until <= now.acknowledged_at)
    throw new FailureState(`${until.toISOString()} is past.`, {
      hint: 'Name an instant ahead with --until.',
    });
  await say(tx, id, 'ack', { ...now, acknowledged_by: by, until, more_than: moreThan ?? null });
}

/** Takes an acknowledgement back. */
export async function reopenFailure(tx: Tx, id: string): Promise<void> {
  const { acknowledged_at } = await lockWords(tx, id);
  if (acknowledged_at === null)
    throw new FailureState('The group is not acknowledged.', { hint: `npx nightshift failures show ${id}` });
  await say(tx, id, 'reopen', {
    ...{ acknowledged_by: null, acknowledged_at: null, until: null, more_than: null },
    ...{ failures_then: null, connections_then: null },
  });
}

type Words = {
  owner: string | null;
  note: string | null;
  acknowledged_by: string | null;
  acknowledged_at: Date | null;
  until: Date | null;
  more_than: number | null;
  failures_then: number | null;
  connections_then: string[] | null;
};

async function say(tx: Tx, id: string, verb: VerbOf<'failures'>, given: Partial<Words>): Promise<void> {
  const before = await lockWords(tx, id);
  const names = Object.keys(given) as (keyof Words)[];
  await tx.query(
    `update ops.failure_triage set ${names.map((name, at) => `${name} = $${at + 2}`).join(', ')}
     where failure_group = $1 and brand_id is not distinct from $${names.length + 2}`,
    [id, ...names.map((name) => given[name]), before.brandId],
  );
  const of = (words: Partial<Words>) =>
    Object.fromEntries(names.filter((name) => !name.endsWith('_then')).map((name) => [name, words[name]]));
  await recordAction(tx, {
    action: `failures.${verb}`,
    ...{ target: id, before: of(before), after: of(given) },
    ...(before.brandId && { brandId: before.brandId }),
  });
}

/** Null of one of the platform's own. */
export async function brandOfFailure(db: Reader, id: string): Promise<string | null> {
  const { rows } = await db.query<{ brandId: string | null }>(
    'select brand_id as "brandId" from ops.failures where failure_group = $1 limit 1',
    [id],
  );
  const [group] = rows;
  if (group === undefined) throw new FailureNotFound(id);
  return group.brandId;
}

/** What was said so far, locked; that of a brand keeps the brand. */
async function lockWords(tx: Tx, id: string): Promise<Words & { brandId: string | null }> {
  const brandId = await brandOfFailure(tx, id);
  if (brandId !== null) await keepBrand(tx, brandId);
  await tx.query(
    'insert into ops.failure_triage (brand_id, failure_group) values ($1, $2) on conflict do nothing',
    [brandId, id],
  );
  const { rows } = await tx.query<Words>(
    'select * from ops.failure_triage where failure_group = $1 and brand_id is not distinct from $2 for update',
    [id, brandId],
  );
  const [words] = rows;
  if (words === undefined) throw new FailureNotFound(id);
  return { ...words, brandId };
}

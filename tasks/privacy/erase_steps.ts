/** The steps of an erasure, each a stretch of a table in a transaction of its own, in an order that is always the same. */
import type { Tx } from '#sql/db/pool.ts';
import { lockFigures } from '#sql/dirty/marks.ts';
import { ConnectionGone, type LoadScope, lockConnection } from '#sql/load/load_lock.ts';
import { rememberErased } from '#sql/load/redact/erased.ts';
import { erasePersonFromMail } from '#sql/mail/persons.ts';
import { findTexts } from '#sql/privacy/find_texts.ts';
import { markNext } from '#sql/privacy/mark_person.ts';
import { mayHold, objectKey, type PersonTable } from '#sql/privacy/person_tables.ts';
import { redactNext } from '#sql/privacy/redact_stored.ts';
import type { Progress } from '#sql/privacy/requests.ts';
import { searchNext } from '#sql/privacy/search.ts';
import { isSwept, sweepRows } from '#sql/privacy/sweep.ts';
import type { TextTable } from '#sql/privacy/text_tables.ts';
import type { IdentifierOf, PersonKey } from '#sql/tenants/persons.ts';
import { queueDeliveries } from '../alerts/deliver_alert.ts';
import { enqueueRollups } from '../store_page.ts';
import { hereOf, type Known, type Place } from './person_here.ts';

export type Erasing = {
  known: Known;
  key: PersonKey;
  places: readonly Place[];
  textTables: readonly TextTable[];
  now: Date;
  /** Changed by the steps, and stored with what they do. */
  progress: Progress;
};

export type Step = {
  name: string;
  /** Returns where it goes on; null once it is through. `last`: what queues a job, as the last of the transaction. */
  run(
    tx: Tx,
    after: readonly string[] | null,
  ): Promise<{ next: readonly string[] | null; last?: () => Promise<void> }>;
};

/** Objects that name a person in a text: more of them are no objects of one person. */
const OBJECTS_MAX = 20_000;
const OVER = { next: null };

export function stepsOf(erasing: Erasing): Step[] {
  const { places, textTables } = erasing;
  const each = (make: (place: Place, table: PersonTable) => Step): Step[] =>
    places.flatMap((place) => [...place.tables.values()].map((table) => make(place, table)));
  return [
    ...each((place, table) => findStep(erasing, place, table)),
    registerStep(erasing),
    ...each((place, table) => redactStep(erasing, place, table)),
    mailStep(erasing),
    ...textTables.filter(isSwept).map((table) => sweepStep(erasing, table)),
    ...places.flatMap((place) => rootsOf(place).map((table) => markStep(erasing, place, table))),
  ];
}

function rootsOf({ tables }: Place): PersonTable[] {
  return [...tables.values()].filter(({ table, root }) => table === root);
}

function findStep(erasing: Erasing, { connectionId, tables }: Place, { table, root }: PersonTable): Step {
  const { known, progress } = erasing;
  const { brandId, forms } = known;
  return {
    name: `find ${connectionId} ${table.name}`,
    async run(tx, after) {
      if (forms.length === 0) return OVER;
      const person = hereOf(known, connectionId, progress.objects?.[connectionId]);
      const finding = { brandId, connectionId, tables, table, forms, person };
      const { rows, next } = await findTexts(tx, finding, after);
      if (rows.length === 0) return { next };
      const objects = new Set(progress.objects?.[connectionId]);
      for (const id of rows) objects.add(objectKey(root.name, id));
      if (objects.size > OBJECTS_MAX)
        throw new RangeError(`more than ${OBJECTS_MAX} objects name the person`);
      progress.objects = { ...progress.objects, [connectionId]: [...objects] };
      return { next };
    },
  };
}

/** Once all are found, so that nothing is remembered of too many; the steps that follow redact them. */
function registerStep({ known: { brandId }, key, progress }: Erasing): Step {
  return {
    name: 'register',
    async run(tx) {
      const found = Object.entries(progress.objects ?? {}).flatMap(([connectionId, objects]) =>
        objects.map((object): IdentifierOf => {
          const [table = '', ...id] = object.split(' ');
          return { kind: 'object', connectionId, table, id: id.join(' ') };
        }),
      );
      if (found.length > 0) await rememberErased(tx, { brandId, key }, found);
      return OVER;
    },
  };
}

function redactStep(erasing: Erasing, { connectionId, tables }: Place, { table }: PersonTable): Step {
  const { known, progress } = erasing;
  const { brandId, names } = known;
  return {
    name: `redact ${connectionId} ${table.name}`,
    async run(tx, after) {
      const person = hereOf(known, connectionId, progress.objects?.[connectionId]);
      if (!mayHold(tables, table.name, person)) return OVER;
      if ((await scopeOf(tx, brandId, connectionId)) === undefined) return OVER;
      const redacting = { brandId, connectionId, tables, table, person, names };
      const { next, redacted } = await redactNext(tx, redacting, after);
      if (redacted > 0) {
        const before = progress.redacted?.[table.name] ?? 0;
        progress.redacted = { ...progress.redacted, [table.name]: before + redacted };
      }
      return { next };
    },
  };
}

/** Undefined for a connection that was removed meanwhile, with all its rows. */
export function scopeOf(tx: Tx, brandId: string, connectionId: string): Promise<LoadScope | undefined> {
  return lockConnection(tx, { brandId, connectionId }).catch((error: unknown) => {
    if (error instanceof ConnectionGone) return undefined;
    throw error;
  });
}

/** Before texts are swept: a letter whose recipient has another name would still be sent. */
function mailStep({ known: { brandId, digest, names }, progress }: Erasing): Step {
  return {
    name: 'mail',
    async run(tx) {
      const resolved: number[] = [];
      const add = (table: string, count: number) => {
        if (count > 0)
          progress.redacted = { ...progress.redacted, [table]: (progress.redacted?.[table] ?? 0) + count };
      };
      // What was queued since an earlier erasure is of the pseudonym.
      for (const hash of [digest, names.get(digest ?? '')]) {
        if (hash === null || hash === undefined) continue;
        const erased = await erasePersonFromMail(tx, brandId, hash);
        add('ops.mail', erased.letters);
        add('app.mail_digests', erased.digests);
        resolved.push(...erased.resolved);
      }
      const last = async () => {
        for (const alert of resolved) await queueDeliveries(tx, alert, { isResolved: true });
      };
      return { next: null, last };
    },
  };
}

function sweepStep({ known, progress }: Erasing, table: TextTable): Step {
  const { brandId, forms } = known;
  return {
    name: `sweep ${table.name}`,
    async run(tx, after) {
      if (forms.length === 0) return OVER;
      const { hits, next } = await searchNext(tx, { brandId, forms }, table, after);
      // A rollup may write the same rows, in another order.
      if (table.schema === 'agg' && hits.length > 0) await lockFigures(tx, brandId);
      await sweepRows(tx, { brandId, forms, table }, hits);
      if (hits.length > 0) {
        const before = progress.redacted?.[table.name] ?? 0;
        progress.redacted = { ...progress.redacted, [table.name]: before + hits.length };
      }
      return { next };
    },
  };
}

function markStep(erasing: Erasing, { connectionId, tables }: Place, target: PersonTable): Step {
  const { known, progress, now } = erasing;
  const { brandId } = known;
  return {
    name: `mark ${connectionId} ${target.root.name}`,
    async run(tx, after) {
      const person = hereOf(known, connectionId, progress.objects?.[connectionId]);
      if (!mayHold(tables, target.root.name, person)) return OVER;
      const scope = await scopeOf(tx, brandId, connectionId);
      if (scope === undefined) return OVER;
      const marking = { brandId, connectionId, tables, target, person, scope, now };
      const { next, marked } = await markNext(tx, marking, after);
      if (marked === 0) return { next };
      return { next, last: () => enqueueRollups(tx, brandId, scope.owners, undefined, {}) };
    },
  };
}

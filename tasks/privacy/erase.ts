/**
 * Erases a person from all that is stored of a brand, and proves it. First the loader is told, so that nothing comes back;
 * then what is stored is redacted, table by table; then every text is searched. A run that breaks off goes on where it
 * was; one that finds something again begins anew.
 */
import { z } from 'zod';
import { coded } from '#runtime/errors.ts';
import { rememberErased } from '#sql/load/redact/erased.ts';
import { keepPerson } from '#sql/privacy/remembered.ts';
import {
  finishRequest,
  type Progress,
  type Proof,
  personOf,
  readRequest,
  saveProgress,
  saveProof,
} from '#sql/privacy/requests.ts';
import { textTablesOf } from '#sql/privacy/text_tables.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import { defineTask, type Tally, type TaskContext } from '../task.ts';
import { type Erasing, type Step, stepsOf } from './erase_steps.ts';
import { identifiersOf, knownOf, placesOf } from './person_here.ts';
import { prove } from './prove.ts';

const TIMEOUT_SECONDS = 4 * 60 * 60;
const ACTOR = 'privacy_erase';

export class PersonLeft extends coded('NS_PERSON_LEFT') {
  constructor(request: number, brand: string, { found }: Proof) {
    const where = Object.entries(found).map(([table, rows]) => `${table} (${rows})`);
    super(`Request ${request}: something of the person is left, or has come again, in ${where.join(', ')}.`, {
      hint: `The erasure is repeated by itself; see what is left: npx nightshift privacy show ${request} --brand ${brand}`,
      context: { request, brand, tables: Object.keys(found) },
    });
  }
}

export const privacyErase = defineTask({
  name: 'privacy_erase',
  payload: z.strictObject({ brandId: z.uuid(), request: z.int() }),
  lane: ({ brandId }) => `privacy:${brandId}`,
  key: ({ brandId, request }) => `${brandId}:${request}`,
  attempts: 20,
  timeoutSeconds: TIMEOUT_SECONDS,
  async run({ brandId, request: id }, context): Promise<Tally> {
    const { db, services, signal } = context;
    const request = await readRequest(db, { brandId, id });
    if (request === undefined || request.doneAt !== null) return { skipped: 'there is no such open request' };
    const identity = await personOf(db, services.sealer, { brandId, id });
    if (request.kind !== 'erase_person' || identity === undefined || request.progress?.foreign !== undefined)
      return { skipped: 'the request is not about a person of this brand' };
    const which = { brandId, connectionId: request.connectionId, identity };
    const key = await db.transaction((tx) => personKeyOf(tx, services.sealer, brandId));
    await db.transaction(async (tx) => {
      const digest = identity.email === undefined ? null : key.digestOf(identity.email);
      await rememberErased(tx, { brandId, key }, identifiersOf({ ...which, digest }));
    });
    const known = await knownOf(db, key, which);
    const places = await placesOf(db, brandId, services.providers.providers);
    const textTables = await textTablesOf(db);
    const progress: Progress = request.progress ?? {};
    const erasing = { known, key, places, textTables, now: context.now(), progress };
    await takeSteps(erasing, id, context);
    const proof = await prove(db, { known, places, textTables, signal });
    if (Object.keys(proof.found).length > 0) {
      const { at: _, after: __, ...again } = progress;
      await db.transaction(async (tx) => {
        await saveProof(tx, { brandId, id }, proof);
        await saveProgress(tx, { brandId, id }, again);
      });
      throw new PersonLeft(id, request.brand, proof);
    }
    return db.finish(async (tx) => {
      await saveProof(tx, { brandId, id }, proof);
      const remembered = { person: identity, objects: progress.objects ?? {} };
      await keepPerson(tx, services.sealer, { brandId, id }, remembered);
      const redacted = progress.redacted ?? {};
      await finishRequest(tx, { brandId, id, by: ACTOR, details: { redacted, found: 0 } });
      return { redacted: sum(redacted), searched: sum(proof.searched), tables: textTables.length };
    });
  },
});

/** From the one that was under way when an earlier run broke off. */
async function takeSteps(
  erasing: Erasing,
  id: number,
  { db, signal, progress: report }: TaskContext,
): Promise<void> {
  const { progress, known } = erasing;
  const steps = stepsOf(erasing);
  const found = steps.findIndex(({ name }) => name === progress.at);
  const begun = Math.max(0, found);
  for (const [index, step] of steps.slice(begun).entries()) {
    // A step that is not there any more, such as one of a connection that was removed, is not where another goes on.
    let after = index === 0 && found !== -1 ? (progress.after ?? null) : null;
    do {
      signal.throwIfAborted();
      report({ step: begun + index + 1, of: steps.length });
      after = await db.transaction((tx) => takeStep(tx, step, after));
    } while (after !== null);
  }

  async function takeStep(tx: Parameters<Step['run']>[0], step: Step, after: readonly string[] | null) {
    const { next, last } = await step.run(tx, after);
    progress.at = step.name;
    progress.after = next;
    await saveProgress(tx, { brandId: known.brandId, id }, progress);
    await last?.();
    return next;
  }
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

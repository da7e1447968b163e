/**
 * Reads everything by bulk operation. Each step is stored before it is done: the load, the operation, and after each
 * batch the offset in its file. So an interrupted load continues with the same operation and never starts a second one.
 */
import { coded, type NightshiftError } from '#runtime/errors.ts';
import { Denied } from '../../kit/errors.ts';
import { ahead } from '../../kit/http/paginate.ts';
import { contentOf } from '../../kit/records.ts';
import { countStored } from '../../kit/stored/stored.ts';
import type { Page } from '../../kit/stream.ts';
import { checkpoint } from '../../kit/sync_run.ts';
import { PROVIDER } from '../api/answers.ts';
import { assertResultAddress, ResultGone } from '../bulk/download.ts';
import { BulkUngrouped } from '../bulk/lines.ts';
import { awaitBulk, startBulk } from '../bulk/operation.ts';
import { BulkResultCut, ResultContradictory, type ResultFile, readResult } from '../bulk/reader.ts';
import { type Collection, type Node, read } from './collection.ts';
import { BEGINNING, LAG_MS, type ShopifyRun } from './sync_run.ts';
import { type Bulk, type Part, type Position, timeText } from './sync_state.ts';

const RESTARTS_MAX = 10;
/** After this many failed operations a contradictory result is not requested again. */
const DISTRUST_AFTER = 2;
/** The smallest part of a load. */
const PART_MS_MIN = 60 * 60_000;
/** The check of what a load brought; each load ends with one, so that the failure of an earlier one ends too. */
const ROOTS = 'bulk roots';

export class BulkGivenUp extends coded('NS_BULK_GIVEN_UP') {
  constructor(reason: string) {
    super(`Shopify did not finish ${RESTARTS_MAX} bulk operations of one load; the last one: ${reason}.`, {
      hint: 'The next attempt begins the load again. If it persists, ask the support of Shopify.',
      context: { reason },
    });
  }
}

/** Results of several operations differ from what is announced; another one would not help. */
export class BulkDistrusted extends coded('NS_BULK_DISTRUSTED') {
  constructor(cause: NightshiftError) {
    super(`Bulk operations of Shopify keep contradicting themselves: ${cause.message}`, {
      hint: 'Nothing to do: the objects are read page by page.',
      cause,
    });
  }
}

/** The pages of a first load, or the rest of one. Ends with a position without a load. */
export async function* backfill(run: ShopifyRun, collection: Collection): AsyncGenerator<Page, boolean> {
  const begun = run.position.bulk;
  let isRepeated = begun !== undefined && begun.operation === undefined;
  if (!begun) yield checkpoint(run, withBulk(run, newBulk(run.context.now())));
  try {
    for (;;) {
      const bulk = run.position.bulk;
      const part = bulk?.parts[0];
      if (!bulk || !part) break;
      yield bulk.operation === undefined
        ? await start(run, collection, bulk, part, isRepeated)
        : yield* result(run, collection, bulk, bulk.operation);
      isRepeated = false;
    }
  } catch (error) {
    if (error instanceof BulkGivenUp) yield checkpoint(run, { ...run.position, bulk: undefined });
    if (!(error instanceof BulkUngrouped || error instanceof BulkDistrusted)) throw error;
    // Pages hold complete objects, so everything is read as changes since the beginning, by the caller.
    run.context.log.info({ err: error, stream: collection.name }, 'a load is read page by page');
    const pages = { bulk: undefined, window: undefined, changesTo: BEGINNING };
    const page = checkpoint(run, { ...run.position, ...pages, catchingUp: run.context.request });
    yield { ...page, checks: [{ name: ROOTS, ok: true, cause: 'read page by page' }] };
    return true;
  }
  yield await finish(run, collection);
  return true;
}

function newBulk(askedAt: Date): Bulk {
  return { askedAt, parts: [{}], offset: 0, lines: 0, roots: 0, rootsDone: 0, restarts: 0 };
}

const withBulk = ({ position }: ShopifyRun, bulk: Bulk): Position => ({
  ...position,
  window: undefined,
  bulk,
});

/** Restarts the part with another operation. */
const anew = (bulk: Bulk): Bulk => ({ ...bulk, operation: undefined, offset: 0, lines: 0, roots: 0 });

async function start(
  run: ShopifyRun,
  collection: Collection,
  bulk: Bulk,
  part: Part,
  isRepeated: boolean,
): Promise<Page> {
  const query = collection.bulk(filterOf(collection, part));
  const intent = { askedAt: bulk.askedAt, previous: run.position.lastOperation };
  const operation = await startBulk(run.shopify, query, intent, isRepeated);
  return checkpoint(run, withBulk(run, { ...bulk, operation }));
}

function filterOf({ createdFilter }: Collection, { from, before }: Part): string {
  const bounds = [
    from && `${createdFilter}:>='${timeText(from)}'`,
    before && `${createdFilter}:<'${timeText(before)}'`,
  ];
  return bounds.filter(Boolean).join(' AND ');
}

/** Waits for the operation and reads its file; the returned page closes it, successful or not. */
async function* result(
  run: ShopifyRun,
  collection: Collection,
  bulk: Bulk,
  operation: string,
): AsyncGenerator<Page, Page> {
  const ended = await awaitBulk(run.shopify, operation);
  const closed = (next: Bulk) => checkpoint(run, { ...withBulk(run, next), lastOperation: operation });
  const again = (reason: string) => {
    if (bulk.restarts >= RESTARTS_MAX) throw new BulkGivenUp(reason);
    return closed({ ...anew(bulk), restarts: bulk.restarts + 1 });
  };
  if (ended.kind === 'again') return again(ended.reason);
  if (ended.kind === 'denied') {
    yield closed(anew(bulk)); // once it is granted, another operation is needed
    throw new Denied(PROVIDER, run.context.connection, `a bulk operation failed: ${ended.reason}`);
  }
  if (ended.kind === 'too_large') return closed({ ...anew(bulk), parts: split(run, bulk, ended.reason) });
  try {
    if (ended.file) yield* batches(run, collection, bulk, ended.file);
  } catch (error) {
    if (error instanceof ResultGone) return again(error.message);
    // The same file would fail again: another operation is started after the pause of a retry.
    if (error instanceof BulkResultCut || error instanceof ResultContradictory) {
      if (bulk.restarts >= DISTRUST_AFTER) throw new BulkDistrusted(error);
      yield again(error.message);
    }
    throw error;
  }
  const [, ...parts] = bulk.parts;
  const check = { name: 'bulk objects', expected: ended.lines, found: ended.lines, ok: true };
  return { ...closed({ ...anew(bulk), parts, rootsDone: bulk.rootsDone + ended.roots }), checks: [check] };
}

async function* batches(
  run: ShopifyRun,
  collection: Collection,
  bulk: Bulk,
  file: ResultFile,
): AsyncGenerator<Page> {
  const { http } = run.shopify;
  assertResultAddress(file.url, run.context.connection.baseUrl);
  const mark = { offset: bulk.offset, lines: bulk.lines, roots: bulk.roots };
  const announced = bulk.rootsDone + file.roots;
  // Rows are made while reading, so that `ahead` prepares the next batch while the database works.
  const reader = { http, shape: collection.shape, make: (node: Node) => read(collection, node) };
  for await (const { results, mark: reached } of ahead(readResult(reader, file, mark))) {
    yield { ...checkpoint(run, withBulk(run, { ...bulk, ...reached })), ...contentOf(results), announced };
  }
}

function split({ access }: ShopifyRun, bulk: Bulk, reason: string): Part[] {
  const [part = {}, ...others] = bulk.parts;
  const from = part.from ?? access.createdAt;
  const before = part.before ?? bulk.askedAt;
  if (before.getTime() - from.getTime() < 2 * PART_MS_MIN) throw new BulkGivenUp(reason);
  const middle = new Date((from.getTime() + before.getTime()) / 2);
  return [{ ...part, before: middle }, { ...part, from: middle }, ...others];
}

/** An empty result where objects are stored means lost access that the provider does not report. */
async function finish(run: ShopifyRun, { name, target }: Collection): Promise<Page> {
  const { position, context } = run;
  const { askedAt, rootsDone } = position.bulk ?? newBulk(context.now());
  const stored = rootsDone === 0 ? await countStored(context, target, '') : 0;
  if (stored > 0) {
    const incomplete = `Shopify returns no ${name} at all, but ${stored} are stored`;
    const check = { name: ROOTS, expected: stored, found: 0, ok: false, cause: incomplete };
    return { ...checkpoint(run, { ...position, bulk: undefined }), checks: [check], incomplete };
  }
  const changesTo = new Date(askedAt.getTime() - LAG_MS);
  const page = checkpoint(run, {
    ...{ lastOperation: position.lastOperation, changesTo },
    catchingUp: context.request,
  });
  return { ...page, checks: [{ name: ROOTS, expected: rootsDone, found: rootsDone, ok: true }] };
}

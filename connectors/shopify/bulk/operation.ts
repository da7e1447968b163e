/**
 * Bulk operations: Shopify runs one query over everything and provides the result as a file. Each is started once,
 * found again after a crash, awaited, and used only when it is complete.
 * https://shopify.dev/docs/api/usage/bulk-operations/queries
 */
import { z } from 'zod';
import { coded } from '#runtime/errors.ts';
import { quote } from '#runtime/scrub.ts';
import { AnswerNotUnderstood, ProviderUnavailable, RequestRefused } from '../../kit/errors.ts';
import { pause } from '../../kit/http/retry.ts';
import { PROVIDER } from '../api/answers.ts';
import type { Shopify } from '../api/client.ts';
import { bulkOperation, bulkOperations, bulkRun } from '../api/queries.ts';
import type { ResultFile } from './reader.ts';

/**
 * Polls after an eighth of the time waited so far: small results are fetched at once, long operations are polled
 * rarely, and no result is ready for longer than an eighth of its duration.
 */
const POLL_PART = 1 / 8;
const POLL_MS_MIN = 200;
const POLL_MS_MAX = 30_000;
/** After this time the job releases its worker and polls again later. */
const POLL_TOTAL_MS_MAX = 4 * 60_000;
const LATER_MS = 60_000;
const STARTS_MAX = 3;
const LOST_ANSWER_MS = 2_000;
/** The tolerated difference between Shopify's clock and ours. */
const CLOCK_SKEW_MS = 60_000;

const count = z.coerce.number().int().nonnegative();
const operationSchema = z.object({
  id: z.string(),
  status: z.enum(['CREATED', 'RUNNING', 'COMPLETED', 'CANCELING', 'CANCELED', 'FAILED', 'EXPIRED']),
  errorCode: z.string().nullable(),
  objectCount: count,
  rootObjectCount: count,
  url: z.string().nullable(),
});
const oneSchema = z.object({ bulkOperation: operationSchema.nullable() });
const listSchema = z.object({
  bulkOperations: z.object({
    nodes: z.array(
      z.object({ id: z.string(), status: z.string(), createdAt: z.coerce.date(), query: z.string() }),
    ),
  }),
});
const runSchema = z.object({
  bulkOperationRunQuery: z.object({
    bulkOperation: z.object({ id: z.string() }).nullable(),
    userErrors: z.array(z.object({ code: z.string().nullish(), message: z.string() })),
  }),
});

/** Waiting for Shopify spends no attempt of the job. */
export class BulkNotReady extends coded('NS_BULK_NOT_READY') {
  constructor(what: string) {
    super(`A bulk operation of Shopify has to wait: ${what}.`, {
      hint: 'Nothing to do: the job checks again in a minute.',
      retryAfterMs: LATER_MS,
    });
  }
}

export type Ended =
  | { kind: 'complete'; file: ResultFile | null; lines: number; roots: number }
  /** Canceled, or its file has expired: the same query again. */
  | { kind: 'again'; reason: string }
  /** Too large for one operation: smaller windows. */
  | { kind: 'too_large'; reason: string }
  | { kind: 'denied'; reason: string };

/** An attempt whose answer may be lost: its time, and the operation before it. */
export type Lost = { askedAt: Date; previous: string | undefined };

/** Starts an operation, or finds one that an earlier attempt started without getting an answer. */
export async function startBulk(
  shopify: Shopify,
  query: string,
  intent: Lost,
  isRepeated: boolean,
): Promise<string> {
  for (let start = 0; ; start++) {
    const known = start > 0 || isRepeated ? await findBulk(shopify, query, intent) : undefined;
    if (known) return known;
    try {
      return await run(shopify, query);
    } catch (error) {
      // The answer is lost, but maybe not the operation: the next attempt searches for it first.
      if (!(error instanceof ProviderUnavailable) || start + 1 >= STARTS_MAX) throw error;
      await pause(LOST_ANSWER_MS, shopify.http);
    }
  }
}

async function findBulk(
  shopify: Shopify,
  query: string,
  { askedAt, previous }: Lost,
): Promise<string | undefined> {
  const { bulkOperations: found } = await shopify.ask(bulkOperations, {}, listSchema);
  const usable = new Set(['CREATED', 'RUNNING', 'COMPLETED']);
  const since = askedAt.getTime() - CLOCK_SKEW_MS;
  return found.nodes.find(
    (node) =>
      usable.has(node.status) &&
      node.id !== previous &&
      node.createdAt.getTime() >= since &&
      squeezed(node.query) === squeezed(query),
  )?.id;
}

async function run(shopify: Shopify, query: string): Promise<string> {
  const { bulkOperationRunQuery: answer } = await shopify.ask(bulkRun, { query }, runSchema, 1);
  const [error] = answer.userErrors;
  if (error?.code === 'LIMIT_REACHED' || error?.code === 'OPERATION_IN_PROGRESS') {
    throw new BulkNotReady('all slots for bulk operations of this app and shop are taken');
  }
  if (error) throw new RequestRefused(PROVIDER, bulkRun.name, quote(error.message));
  if (answer.bulkOperation) return answer.bulkOperation.id;
  throw new AnswerNotUnderstood(PROVIDER, bulkRun.name, 'neither an operation nor an error');
}

/** Waits for the end of the operation, successful or not. */
export async function awaitBulk(shopify: Shopify, id: string): Promise<Ended> {
  for (let waitedMs = 0; ; ) {
    const { bulkOperation: operation } = await shopify.ask(bulkOperation, { id }, oneSchema);
    if (operation === null) return { kind: 'again', reason: 'Shopify no longer knows it' };
    const ended = endOf(operation);
    if (ended) return ended;
    const waitMs = Math.round(Math.min(POLL_MS_MAX, Math.max(POLL_MS_MIN, waitedMs * POLL_PART)));
    waitedMs += waitMs;
    if (waitedMs > POLL_TOTAL_MS_MAX)
      throw new BulkNotReady(`it runs, ${operation.objectCount} objects so far`);
    await pause(waitMs, shopify.http);
  }
}

function endOf(operation: z.output<typeof operationSchema>): Ended | undefined {
  const { status, errorCode, url, objectCount: lines, rootObjectCount: roots } = operation;
  switch (status) {
    case 'COMPLETED':
      // No address means no rows, if no rows are announced.
      if (url === null && lines > 0) return { kind: 'again', reason: 'its file is gone' };
      return { kind: 'complete', file: url === null ? null : { url, lines, roots }, lines, roots };
    case 'CANCELED':
    case 'EXPIRED':
      return { kind: 'again', reason: status };
    case 'FAILED':
      return {
        kind: errorCode === 'ACCESS_DENIED' ? 'denied' : 'too_large',
        reason: quote(errorCode ?? status),
      };
    default:
      return undefined;
  }
}

const squeezed = (query: string) => query.replace(/\s+/g, ' ').trim();

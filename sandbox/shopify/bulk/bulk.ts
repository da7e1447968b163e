import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraphQLError } from 'graphql';
import type { Faults, Target } from '../../faults.ts';
import type { Plain } from '../../plain.ts';
import { toStamp } from '../../zone.ts';
import type { PageFaults } from '../graphql/connection.ts';
import { selectRows } from '../graphql/root_lists.ts';
import { gid, type Shop } from '../shop.ts';
import { compileBulk } from './compile.ts';
import { groupedLines, ungroupedLines } from './layout.ts';
import { BulkRefused, readBulkQuery } from './rules.ts';

export const RUNNING_MAX = 5;
const CHUNK_CHARACTERS = 1 << 18;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is meant from 0 on.
const NOT_ASCII = /[^\x00-\x7f]/;
const URL_LIFE_MS = 7 * 24 * 3_600_000;

type Status = 'CREATED' | 'RUNNING' | 'COMPLETED' | 'CANCELING' | 'CANCELED' | 'FAILED' | 'EXPIRED';

export type BulkSettings = { baseUrl: () => string; faults: Faults };
export type BulkRequest = { shop: Shop; now: number; query: string; groupObjects: boolean };

/** One bulk operation; its fields are those of the API's BulkOperation, read while it runs. */
class BulkOperation {
  readonly __typename = 'BulkOperation';
  readonly type = 'QUERY';
  readonly id: string;
  readonly key: string;
  readonly query: string;
  readonly createdAt: string;
  status: Status = 'CREATED';
  errorCode: string | null = null;
  completedAt: string | null = null;
  lines = 0;
  roots = 0;
  bytes = 0;
  productionMs: number | undefined;
  countDifference = 0;
  link: string | null = null;
  result: FileHandle | undefined;
  /** Real time at which the result's address ends. */
  readonly expiresAt = Date.now() + URL_LIFE_MS;

  constructor(key: string, query: string, createdAt: string) {
    this.key = key;
    this.id = gid('BulkOperation', key);
    this.query = query;
    this.createdAt = createdAt;
  }

  get isRunning(): boolean {
    return this.status === 'CREATED' || this.status === 'RUNNING' || this.status === 'CANCELING';
  }

  get objectCount(): string {
    return String(Math.max(0, this.lines + this.countDifference));
  }

  get rootObjectCount(): string {
    return String(this.roots);
  }

  get fileSize(): string | null {
    return this.completedAt && this.bytes > 0 ? String(this.bytes) : null;
  }

  get url(): string | null {
    return this.status === 'COMPLETED' && this.lines > 0 ? this.link : null;
  }

  get partialDataUrl(): string | null {
    const broken = this.status === 'FAILED' || this.status === 'CANCELED';
    return broken && this.lines > 0 ? this.link : null;
  }
}

/** The bulk operations of one shop: at most five at a time, their results in unlinked temporary files. */
export class BulkOperations {
  readonly #settings: BulkSettings;
  readonly #secret = randomBytes(32);
  readonly #operations: BulkOperation[] = [];

  constructor(settings: BulkSettings) {
    this.#settings = settings;
  }

  find(id: string): Plain | undefined {
    return this.#operations.find((operation) => operation.id === id);
  }

  list(_now: number): Plain[] {
    return [...this.#operations];
  }

  run(request: BulkRequest, hooks: { target: Target; rows: PageFaults['rows'] }): Plain {
    const running = this.#operations.filter((operation) => operation.isRunning);
    if (running.length >= RUNNING_MAX) {
      const ids = running.map(({ id }) => id).join(', ');
      const message = `A bulk query operation for this app and shop is already in progress: ${ids}.`;
      return refused('LIMIT_REACHED', message);
    }
    try {
      const query = readBulkQuery(request.query);
      const operation = new BulkOperation(newKey(), request.query, toStamp(request.now));
      this.#operations.push(operation);
      this.#produce(
        operation,
        request,
        () => {
          const { rows } = selectRows(request.shop, query.list, query.args, request.now);
          return { rows: hooks.rows(rows), writerOf: compileBulk(query, request.shop) };
        },
        hooks.target,
      );
      return { bulkOperation: operation, userErrors: [] };
    } catch (error) {
      if (error instanceof BulkRefused) return refused('INVALID', error.message);
      throw error;
    }
  }

  cancel(id: string): Plain {
    const operation = this.#operations.find((one) => one.id === id);
    if (!operation)
      return {
        bulkOperation: null,
        userErrors: [{ field: ['id'], message: 'Bulk operation does not exist' }],
      };
    if (operation.isRunning) operation.status = 'CANCELING';
    else {
      const message = `A bulk operation cannot be canceled when it is ${operation.status.toLowerCase()}`;
      return { bulkOperation: operation, userErrors: [{ field: null, message }] };
    }
    return { bulkOperation: operation, userErrors: [] };
  }

  /** The file behind a signed address; undefined when the signature is wrong or the time is over. */
  result(key: string, signature: string): { file: FileHandle; bytes: number } | undefined {
    const operation = this.#operations.find((one) => one.key === key);
    if (!operation?.result || Date.now() > operation.expiresAt) return undefined;
    const [given, right] = [Buffer.from(signature), Buffer.from(this.#sign(key))];
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    return { file: operation.result, bytes: operation.bytes };
  }

  report(): object[] {
    return this.#operations.map(({ id, status, createdAt, lines, roots, bytes, productionMs }) => {
      return { id, status, createdAt, lines, roots, bytes, productionMs };
    });
  }

  async close(): Promise<void> {
    for (const operation of this.#operations) {
      if (operation.isRunning) operation.status = 'CANCELING';
      const file = operation.result;
      operation.result = undefined;
      await file?.close();
    }
  }

  #sign(key: string): string {
    return createHmac('sha256', this.#secret).update(key).digest('hex');
  }

  async #produce(operation: BulkOperation, request: BulkRequest, prepare: () => Source, target: Target) {
    const started = performance.now();
    const { faults, baseUrl } = this.#settings;
    try {
      operation.status = 'RUNNING';
      operation.link = `${baseUrl()}/shopify/${request.shop.name}/bulk/${operation.key}.jsonl?signature=${this.#sign(operation.key)}`;
      const ungrouped = !request.groupObjects || faults.take('bulk_ungrouped', target) !== undefined;
      const failed = faults.take('bulk_failed', target);
      const canceled = failed ? undefined : faults.take('bulk_canceled', target);
      const broken = failed ?? canceled;
      const slow = faults.take('bulk_slow', target);
      if (slow) await new Promise((done) => setTimeout(done, slow.ms).unref());
      await writeResult(operation, prepare(), ungrouped, broken?.lines);
      operation.countDifference = faults.take('bulk_count', target)?.difference ?? 0;
      operation.errorCode = failed?.errorCode ?? null;
      operation.completedAt = toStamp(Math.max(request.now, Date.parse(operation.createdAt)));
      if (failed) operation.status = 'FAILED';
      else operation.status = canceled || String(operation.status) === 'CANCELING' ? 'CANCELED' : 'COMPLETED';
    } catch (error) {
      const denied = error instanceof GraphQLError && error.extensions.code === 'ACCESS_DENIED';
      operation.errorCode = denied ? 'ACCESS_DENIED' : 'INTERNAL_SERVER_ERROR';
      operation.completedAt = toStamp(request.now);
      operation.status = 'FAILED';
    }
    operation.productionMs = Math.round(performance.now() - started);
  }
}

type Source = { rows: readonly Plain[]; writerOf: ReturnType<typeof compileBulk> };

async function writeResult(operation: BulkOperation, source: Source, ungrouped: boolean, linesMax?: number) {
  const file = await unlinkedFile();
  operation.result = file;
  const lines = ungrouped
    ? ungroupedLines(source.rows, source.writerOf)
    : groupedLines(source.rows, source.writerOf);
  let chunk = '';
  for (const { text, root } of lines) {
    if (linesMax !== undefined && operation.lines >= linesMax) break;
    operation.lines++;
    if (root) operation.roots++;
    chunk += text;
    chunk += '\n';
    if (chunk.length < CHUNK_CHARACTERS) continue;
    operation.bytes += await append(file, chunk);
    chunk = '';
    if (operation.status === 'CANCELING') break;
  }
  operation.bytes += await append(file, chunk);
}

/** Plain ASCII, which nearly all chunks are, is copied instead of encoded: twice as fast. */
async function append(file: FileHandle, chunk: string): Promise<number> {
  const bytes = Buffer.from(chunk, NOT_ASCII.test(chunk) ? 'utf8' : 'latin1');
  await file.appendFile(bytes); // unlike write, this goes on until all is written
  return bytes.length;
}

/** A file that vanishes with the process, however it ends: its name is gone before it is used. */
async function unlinkedFile(): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-sandbox-'));
  const file = await open(join(folder, 'result.jsonl'), 'w+', 0o600);
  await rm(folder, { recursive: true });
  return file;
}

let lastKey = 0;
function newKey(): string {
  lastKey = Math.max(lastKey + 1, Date.now() * 1000);
  return String(lastKey);
}

function refused(code: string, message: string): Plain {
  return { bulkOperation: null, userErrors: [{ code, field: ['query'], message }] };
}

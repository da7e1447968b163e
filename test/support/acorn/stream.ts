/** What the streams of Acorn share: each list only grows, so a run goes on behind the last row that is stored. */
import { z } from 'zod';
import { defineStream } from '#connectors/kit/define_stream.ts';
import { CredentialsRejected } from '#connectors/kit/errors.ts';
import { type Fields, isObject } from '#connectors/kit/fields.ts';
import { makeHttp } from '#connectors/kit/http/http.ts';
import { withRetry } from '#connectors/kit/http/retry.ts';
import { contentOf, resultOf } from '#connectors/kit/records.ts';
import type { Page, Stream, StreamContext } from '#connectors/kit/stream.ts';
import { syncPages } from '#connectors/kit/sync.ts';
import { checkpoint, emptyPage, newRun } from '#connectors/kit/sync_run.ts';
import { pack } from '#sql/load/pack.ts';
import type { Item, Table } from '#sql/load/table.ts';

const stateSchema = z.object({ after: z.int().optional(), changesTo: z.iso.datetime().optional() });
const answerSchema = z.object({ rows: z.array(z.unknown()), next: z.int() });

const PAGES_MAX = 100;

export type AcornStream = {
  name: string;
  tables: readonly [Table, ...Table[]];
  toItem(record: Fields, readAt: Date): Item;
};

export function acornStream({ name, tables, toItem }: AcornStream): Stream {
  const target = { tables };
  const contentsOf = (rows: readonly unknown[], readAt: Date) =>
    contentOf(rows.filter(isObject).map((row) => resultOf(row, () => pack(target, toItem(row, readAt)))));

  async function* listed(run: ReturnType<typeof newRun<typeof stateSchema>>, from: number) {
    let after = from;
    for (let page = 0; page < PAGES_MAX; page++) {
      const readAt = run.context.now();
      const { rows, next } = await ask(run.context, `${name}?after=${after}`);
      if (next === after) {
        yield checkpoint(run, { after, changesTo: readAt.toISOString() });
        return;
      }
      after = next;
      yield { ...checkpoint(run, { after }), ...contentsOf(rows, readAt) };
    }
  }

  return defineStream({
    name: `acorn.${name}`,
    provider: 'acorn',
    scopes: [],
    tables,
    pages(context) {
      const run = newRun(context, stateSchema);
      const { after } = run.position;
      const all = async function* () {
        yield* listed(run, 0);
        return true;
      };
      return syncPages<Page>(run, {
        resync: () => listed({ ...run, fixed: run.position }, 0), // the lists have no dates: all of it
        backfill: context.full || after === undefined ? all : undefined,
        increment: () => listed(run, run.position.after ?? 0),
      });
    },
    async *deliver(context, deliveries) {
      for (const { body } of deliveries)
        yield {
          ...emptyPage({ phase: 'changes' }),
          ...contentsOf(JSON.parse(body.toString()), context.now()),
        };
    },
    async *fetch(context, ids) {
      for (const id of ids) {
        const { rows } = await ask(context, `${name}/${encodeURIComponent(id)}`);
        yield { ...emptyPage({ phase: 'changes' }), ...contentsOf(rows, context.now()) };
      }
    },
  });
}

type Asking = Pick<StreamContext, 'connection' | 'signal' | 'stats'>;

export async function ask({ connection, signal, stats }: Asking, path: string) {
  const { account, baseUrl, secret } = connection;
  const http = makeHttp({ provider: 'Acorn', account, signal, stats });
  const request = {
    method: 'GET',
    url: `${baseUrl}/v1/${path}`,
    headers: { authorization: `Bearer ${secret}` },
    secrets: [secret],
  } as const;
  const { status, text } = await withRetry(() => http.once(request), { signal, stats });
  if (status === 401) throw new CredentialsRejected('Acorn', connection, '401');
  return answerSchema.parse(JSON.parse(text));
}

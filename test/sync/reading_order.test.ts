/** Readings of days are told apart by their order alone: see connectors/kit/stream.ts. */
import { expect, test } from 'vitest';
import { defineStream } from '#connectors/kit/define_stream.ts';
import type { StreamContext } from '#connectors/kit/stream.ts';
import { emptyPage } from '#connectors/kit/sync_run.ts';
import { table } from '#sql/load/table.ts';
import { at } from '../support/rows/things.ts';

const columns = { id: 'text', day: 'date', amount: 'numeric' } as const;
const figures = table({
  name: 'raw.figures',
  personal: null,
  key: ['id', 'day'],
  rootColumn: 'id',
  keeps: 'days',
  columns,
});
const things = table({ name: 'raw.things', personal: null, key: ['id'], columns: { id: 'text' } });

function giving(root: typeof figures, ...seconds: number[]) {
  async function* pages() {
    for (const second of seconds) {
      const changedAt = at(`2024-06-01T00:00:0${second}Z`);
      const items = [{ id: 'c', changedAt, rows: { [root.name]: [] } }];
      yield { ...emptyPage({ phase: 'changes' }), items };
    }
  }
  const stream = { name: 'acorn.figures', provider: 'acorn', scopes: [], tables: [root] } as const;
  return defineStream({ ...stream, pages, fetch: pages });
}

async function read(stream: ReturnType<typeof giving>): Promise<number> {
  let pages = 0;
  for await (const _ of stream.pages({} as StreamContext)) pages++;
  for await (const _ of stream.fetch?.({} as StreamContext, []) ?? []) pages++;
  return pages;
}

test('figures of days that were requested before those of an earlier page are refused', async () => {
  expect(await read(giving(figures, 1, 1, 2))).toBe(6);
  await expect(read(giving(figures, 1, 3, 2))).rejects.toThrow(/requested before those of an earlier page/);
});

test('objects with a version may come in any order', async () => {
  expect(await read(giving(things, 1, 3, 2))).toBe(6);
});

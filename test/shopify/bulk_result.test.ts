import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeHttp } from '#connectors/kit/http/http.ts';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import { type Batch, type Mark, readResult } from '#connectors/shopify/bulk/reader.ts';
import type { Node, Shape } from '#connectors/shopify/sync/collection.ts';
import { assertHolds } from '../support/property.ts';
import { type Answer, fakeProvider, file, status } from '../support/providers/provider.ts';

const SHAPE: Shape = [
  { list: 'lines', type: 'LineItem' },
  { list: 'agreements', children: [{ list: 'sales' }] },
];
const START: Mark = { offset: 0, lines: 0, roots: 0 };

type Order = { id: string; name: string; lines: object[]; agreements: { id: string; sales: object[] }[] };

const gid = (type: string, n: number | string) => `gid://shopify/${type}/${n}`;

function order(n: number, lines = 2, name = `#${n}`): Order {
  const of = (type: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ id: gid(type, `${n}${i}`) }));
  const sales = of('Sale', lines);
  return {
    id: gid('Order', n),
    name,
    lines: of('LineItem', lines),
    agreements: [{ id: gid('SalesAgreement', n), sales }],
  };
}

/** The file as Shopify writes it: every child behind its parent, naming it. */
function linesOf({ lines, agreements, ...root }: Order): object[] {
  const child = (parent: { id: string }, node: object) => ({ ...node, __parentId: parent.id });
  return [
    root,
    ...lines.map((line) => child(root, line)),
    ...agreements.flatMap(({ sales, ...agreement }) => [
      child(root, agreement),
      ...sales.map((sale) => child(agreement, sale)),
    ]),
  ];
}

const fileOf = (lines: object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

/** What was read, without the marks of where it lay in the file. */
const plain = (batches: Batch<Node>[]) =>
  JSON.parse(
    JSON.stringify(
      batches.flatMap(({ results }) => results),
      (key, value) => (key === '__parentId' ? undefined : value),
    ),
  );

type Reading = { lines: number; roots: number; batchLines?: number; start?: Mark };

async function read(answers: Answer[], { start = START, ...counts }: Reading, batches: Batch<Node>[] = []) {
  await using provider = await fakeProvider(...answers);
  const http = makeHttp({
    provider: 'Shopify',
    account: 'acme',
    signal: new AbortController().signal,
    stats: newRequestStats(),
  });
  for await (const batch of readResult(
    { http, shape: SHAPE, make: (node: Node) => node },
    { url: `${provider.url}/result.jsonl?signature=x`, ...counts },
    start,
  ))
    batches.push(batch);
  return { batches, asked: provider.asked };
}

const orders = [1, 2, 3, 4, 5, 6, 7].map((n) => order(n, n % 4, n === 3 ? 'Zoë – 日本' : undefined));
const lines = orders.flatMap(linesOf);
const text = fileOf(lines);
const counts = { lines: lines.length, roots: orders.length, batchLines: 1 };

test('objects come whole, whatever the pieces of the file and the size of the batches', async () => {
  await assertHolds(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 500 }),
      async (batchLines, piece) => {
        const answer: Answer = (response) => {
          const bytes = Buffer.from(text);
          for (let at = 0; at < bytes.length; at += piece) response.write(bytes.subarray(at, at + piece));
          response.end();
        };
        expect(plain((await read([answer], { ...counts, batchLines })).batches)).toEqual(orders);
      },
    ),
    30,
  );
});

test.each([
  ['a server that knows ranges', true],
  ['a server that does not', false],
])('from the mark of any batch reading goes on, with %s', async (_, ranges) => {
  const { batches } = await read([pieces(text)], counts);
  expect(batches.length).toBeGreaterThan(3);
  for (const [index, { mark }] of batches.entries()) {
    const rest = await read([file(text, { ranges })], { ...counts, start: mark });
    expect(plain([...batches.slice(0, index + 1), ...rest.batches])).toEqual(orders);
    if (index < batches.length - 1) expect(rest.asked[0]?.headers.range).toBe(`bytes=${mark.offset}-`);
  }
});

/** Small pieces, so that there are several batches. */
function pieces(content: string): Answer {
  return async (response) => {
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length; at += 200) {
      response.write(bytes.subarray(at, at + 200));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    response.end();
  };
}

test.each([
  ['with a range', true],
  ['without ranges', false],
])('a body that breaks off goes on %s, and nothing comes twice', async (_, ranges) => {
  const { batches, asked } = await read(
    [file(text, { cutAt: 700, ranges }), file(text, { cutAt: 900, ranges }), file(text, { ranges })],
    counts,
  );
  expect(plain(batches)).toEqual(orders);
  expect(asked.length).toBeGreaterThanOrEqual(2);
});

test('a file that ends early between two lines is noticed by its count', async () => {
  const short = fileOf(lines.slice(0, -3));
  const { batches, asked } = await read([file(short), file(text)], counts);
  expect(plain(batches)).toEqual(orders);
  expect(asked).toHaveLength(2);
});

test('a file that stays short is not taken for a whole one, and its last object is not given out', async () => {
  const batches: Batch<Node>[] = [];
  const reading = read([file(fileOf(lines.slice(0, -3)), { ranges: false })], counts, batches);
  await expect(reading).rejects.toMatchObject({ code: 'NS_BULK_RESULT_CUT', verdict: 'retry' });
  expect(plain(batches)).not.toContainEqual(expect.objectContaining({ id: gid('Order', 7) }));
});

test('a damaged line is asked for again', async () => {
  const damaged = text.replace('"#5"', '"#5');
  const { batches } = await read([file(damaged), file(text)], counts);
  expect(plain(batches)).toEqual(orders);
});

test.each([1, 10_000])(
  'a file with more than was announced is not a whole file either, in batches of %s',
  async (batchLines) => {
    await expect(
      read([file(text, { ranges: false })], { ...counts, batchLines, lines: counts.lines - 1 }),
    ).rejects.toMatchObject({ code: 'NS_BULK_RESULT_CONTRADICTORY' });
  },
);

/** Goes on for as long as somebody reads. */
const endless =
  (chunk: Buffer): Answer =>
  (response) => {
    const more = () => {
      while (!response.destroyed && response.write(chunk)) {}
    };
    response.on('drain', more);
    more();
  };

test('a file without end is not read to its end', async () => {
  await expect(read([endless(Buffer.from(text))], counts)).rejects.toMatchObject({
    code: 'NS_BULK_RESULT_CONTRADICTORY',
  });
});

test('a line without end is not held in memory', async () => {
  await expect(read([endless(Buffer.alloc(1 << 20, 'x'))], counts)).rejects.toMatchObject({
    code: 'NS_BULK_RESULT_CUT',
    message: expect.stringContaining('a line is longer than'),
  });
});

test('as many lines but fewer root objects than announced contradict each other', async () => {
  await expect(read([file(text)], { ...counts, roots: 8 })).rejects.toMatchObject({
    code: 'NS_BULK_RESULT_CONTRADICTORY',
  });
});

test('a result may come compressed, and go on after that too', async () => {
  const packed = file(gzipSync(text), { ranges: false, headers: { 'content-encoding': 'gzip' } });
  const { batches } = await read([packed], counts);
  expect(plain(batches)).toEqual(orders);
  const [first] = (await read([pieces(text)], counts)).batches;
  const rest = await read([packed], { ...counts, ...(first && { start: first.mark }) });
  expect(plain([...(first ? [first] : []), ...rest.batches])).toEqual(orders);
  // A part of the compressed bytes is of no use: the whole is asked for.
  const inParts = file(gzipSync(text), { headers: { 'content-encoding': 'gzip' } });
  const again = await read([inParts], { ...counts, ...(first && { start: first.mark }) });
  expect(plain(again.batches)).toEqual(plain(rest.batches));
  expect(again.asked.map(({ headers }) => headers.range)).toEqual([
    `bytes=${first?.mark.offset}-`,
    undefined,
  ]);
});

test('the last line may come without a line end', async () => {
  expect(plain((await read([file(text.trimEnd())], counts)).batches)).toEqual(orders);
});

test('children away from their parents are an error, never rows', async () => {
  const roots = lines.filter((line) => !('__parentId' in line));
  const children = lines.filter((line) => '__parentId' in line);
  const scattered = fileOf([...roots, ...children]);
  const batches: Batch<Node>[] = [];
  await expect(read([file(scattered)], counts, batches)).rejects.toMatchObject({ code: 'NS_BULK_UNGROUPED' });
  expect(batches).toEqual([]);
});

test('an address that has ended is not a reason to ask again and again', async () => {
  await using provider = await fakeProvider(status(403));
  const http = makeHttp({
    provider: 'Shopify',
    account: 'acme',
    signal: new AbortController().signal,
    stats: newRequestStats(),
  });
  const reading = readResult(
    { http, shape: SHAPE, make: (node) => node },
    { url: provider.url, ...counts },
    START,
  );
  await expect(reading.next()).rejects.toThrow('its file is gone (403)');
  expect(provider.asked).toHaveLength(1);
});

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export type Gql = {
  status: number;
  // Answers of any query: the test that asked knows their shape.
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  data: any;
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  errors: any;
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  extensions: any;
};

export const SHOP = 'acme';
export const TOKEN = 'shpat_acme';
export const NOW = '2026-11-20T06:00:00Z';

/** A scenario directory on disk, removed at the end of its scope. Rows are given per file. */
export async function scenarioDir(
  files: Record<string, readonly unknown[]>,
  { shop = {}, scenario }: { shop?: object; scenario?: object } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-scenario-'));
  const shops = { [SHOP]: { token: TOKEN, currency: 'USD', zone: 'America/New_York', ...shop } };
  await writeFile(join(dir, 'scenario.json'), JSON.stringify(scenario ?? { now: NOW, shops }));
  await mkdir(join(dir, 'shopify', SHOP), { recursive: true });
  for (const [file, rows] of Object.entries(files)) {
    const path = join(dir, 'shopify', file.includes('/') ? file : join(SHOP, file));
    await mkdir(dirname(path), { recursive: true });
    const lines = rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row)));
    await writeFile(path, `${lines.join('\n')}\n`);
  }
  return {
    dir,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Asks one shop of a sandbox, as a client would over HTTP. */
export async function ask(
  { url }: { url: string },
  query: string,
  { variables = {}, shop = SHOP, token = TOKEN }: { variables?: object; shop?: string; token?: string } = {},
): Promise<Gql> {
  const answer = await fetch(`${url}/shopify/${shop}/admin/api/2026-10/graphql.json`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-shopify-access-token': token },
    body: JSON.stringify({ query, variables }),
  });
  return { status: answer.status, ...((await answer.json()) as Omit<Gql, 'status'>) };
}

export async function post({ url }: { url: string }, path: string, body: object): Promise<Response> {
  return fetch(`${url}/_sandbox/${path}`, { method: 'POST', body: JSON.stringify(body) });
}

export function setFaults(sandbox: { url: string }, ...faults: object[]): Promise<Response> {
  return post(sandbox, 'faults', { faults });
}

const RUN = `mutation ($query: String!, $group: Boolean!) {
  bulkOperationRunQuery(query: $query, groupObjects: $group) { bulkOperation { id status } userErrors { code message } } }`;
const STATE = `query ($id: ID!) { bulkOperation(id: $id) {
  id status errorCode objectCount rootObjectCount fileSize url partialDataUrl } }`;

export type BulkState = {
  id: string;
  status: string;
  errorCode: string | null;
  objectCount: string;
  rootObjectCount: string;
  fileSize: string | null;
  url: string | null;
  partialDataUrl: string | null;
};
type Who = { shop?: string; token?: string };

export async function startBulk(sandbox: { url: string }, query: string, group: boolean, who: Who = {}) {
  const answer = await ask(sandbox, RUN, { variables: { query, group }, ...who });
  return answer.data.bulkOperationRunQuery;
}

/** Runs a bulk query to its end. */
export async function runBulk(
  sandbox: { url: string },
  query: string,
  group = true,
  who: Who = {},
): Promise<BulkState> {
  const { bulkOperation, userErrors } = await startBulk(sandbox, query, group, who);
  if (!bulkOperation) throw new Error(JSON.stringify(userErrors));
  for (;;) {
    const { data } = await ask(sandbox, STATE, { variables: { id: bulkOperation.id }, ...who });
    if (!['CREATED', 'RUNNING', 'CANCELING'].includes(data.bulkOperation.status)) return data.bulkOperation;
    await new Promise((done) => setTimeout(done, 20));
  }
}

export type BulkLine = { id: string; __parentId?: string } & Record<string, unknown>;

export async function readLines(url: string | null): Promise<BulkLine[]> {
  if (url === null) return [];
  const text = await (await fetch(url)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

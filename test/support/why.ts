import { nightshift } from './cli.ts';
import type { TestDb } from './db/db.ts';

export type Page = {
  state: string;
  rows: number | null;
  reasons: { because: string; next?: string }[];
  queued_by: string[];
};

export async function ask(db: TestDb, ...words: string[]): Promise<{ code: number | null; page: Page }> {
  const { code, json, stderr } = await nightshift([...words, '--json'], { env: { DATABASE_URL: db.url } });
  const [page] = json() as Page[];
  if (page === undefined) throw new Error(`${words.join(' ')} gave nothing: ${stderr}`);
  return { code, page };
}

export const becauseOf = ({ page }: { page: Page }) => page.reasons.map(({ because }) => because);

export async function aJob(
  db: TestDb,
  { payload = {}, ...options }: Record<string, unknown> = {},
): Promise<string> {
  const named = Object.entries(options).map(([name, value]) => `${name} => '${value}'`);
  const call = ["'retention'", `'${JSON.stringify(payload)}'`, ...named].join(', ');
  const [id] = await db.column(`select (graphile_worker.add_job(${call})).id::text`);
  return String(id);
}

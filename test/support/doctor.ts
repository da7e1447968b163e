/** Runs `nightshift doctor`, for tests of its checks. */
import type { Result } from '../../bin/cli/doctor/check.ts';
import { nightshift } from './cli.ts';
import type { TestDb } from './db/db.ts';
import { TEST_KEYS } from './rows/factory.ts';

export async function examine(db: TestDb, env: Record<string, string> = {}, ...options: string[]) {
  const all = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS, ...env };
  const { code, json } = await nightshift(['doctor', '--json', ...options], { env: all });
  const [page] = json() as { well: boolean; checks: Result[] }[];
  return { code, checks: page?.checks ?? [] };
}

/** Warnings and failures of one check, without its name. */
export const wrongOf = (checks: readonly Result[], check: string) =>
  checks
    .filter((one) => one.check === check && one.severity !== 'ok')
    .map(({ check: _, ...finding }) => finding);

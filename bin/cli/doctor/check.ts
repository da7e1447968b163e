/**
 * A *check* is one question about the health of the installation: it reads and judges. It changes nothing but what each
 * request to a provider changes: counts of requests, and a token that is renewed. A *finding* is its answer, with what
 * it was seen by and the command that mends it. A check that cannot be carried out is a failure.
 */
import type { Config } from '#runtime/config.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import { openDb } from '#sql/db/pool.ts';
import type { Reader } from '#sql/db/reader.ts';
import type { Session } from '../shared/session.ts';
import { grouped } from '../ui/format.ts';

export type Severity = 'ok' | 'warning' | 'failure';

export type Finding = { severity: Severity; evidence: string; mend?: string };

export type Context = {
  db: Reader;
  url: string;
  embedded: boolean;
  config: Config;
  /** Whether keys are checked with the providers. */
  asksProviders: boolean;
};

export type Check = {
  name: string;
  /** Whether it needs none of our tables. */
  anySchema?: true;
  /** No finding means that nothing was found to be wrong. */
  run(context: Context): Promise<Finding | readonly Finding[]>;
};

export type Result = Finding & { check: string };

/** So many of a kind are named; `named` says how many more there are. */
export const NAMED_MAX = 20;

const STATEMENT_TIMEOUT_MS = 10_000;

export const ok = (evidence: string): Finding => ({ severity: 'ok', evidence });
export const warning = (evidence: string, mend: string): Finding => ({ severity: 'warning', evidence, mend });
export const failure = (evidence: string, mend: string): Finding => ({ severity: 'failure', evidence, mend });

/**
 * A finding for each row, up to `NAMED_MAX`, and one that counts the others. `total` says how many there are; without
 * rows it is not looked at.
 */
export function named<R>(rows: readonly R[], total: number | undefined, of: (row: R) => Finding): Finding[] {
  const findings = rows.slice(0, NAMED_MAX).map(of);
  const last = findings.at(-1);
  const more = (total ?? 0) - findings.length;
  if (last === undefined || more <= 0) return findings;
  const mend = 'mend those above: npx nightshift doctor then names the next';
  return [...findings, { severity: last.severity, evidence: `and ${grouped(more)} more`, mend }];
}

/** One after the other, on sessions of their own whose statements end soon. */
export async function runChecks(
  checks: readonly Check[],
  { url, embedded, config }: Session,
  options: { schemaFits: boolean; asksProviders: boolean },
): Promise<Result[]> {
  await using db = openDb(url, {
    ...{ applicationName: 'nightshift doctor', statementTimeoutMs: STATEMENT_TIMEOUT_MS, max: 1 },
  });
  const context = { db, url, embedded, config, asksProviders: options.asksProviders };
  const results: Result[] = [];
  for (const check of checks) {
    if (!options.schemaFits && !check.anySchema) continue;
    const found = [await answerOf(check, context)].flat();
    const findings = found.length > 0 ? found : [ok('nothing found')];
    results.push(...findings.map((finding) => ({ check: check.name, ...finding })));
  }
  return results;
}

async function answerOf(check: Check, context: Context): Promise<Finding | readonly Finding[]> {
  try {
    return await check.run(context);
  } catch (error) {
    const hint = error instanceof NightshiftError ? error.hint : undefined;
    return failure(
      `The check could not be carried out: ${messageOf(error)}`,
      hint ?? 'npx nightshift status --url names the database: see whether it answers',
    );
  }
}

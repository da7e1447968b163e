/** The accounts of a scenario: a folder each, with NDJSON files of the declared names. */
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Draft, readNdjson } from '../ndjson.ts';
import { ScenarioError } from '../scenario_error.ts';
import type { Account, Accounts, Declaration } from './declare.ts';

const EXTENSION = '.ndjson';

/** Of those that `scenario.json` names; a folder is not needed. */
export async function loadAccounts<Settings>(
  root: string,
  declaration: Declaration<Settings>,
  named: Record<string, Settings>,
): Promise<Accounts<Settings>> {
  const accounts = new Map<string, Account<Settings>>();
  for (const [name, settings] of Object.entries(named)) {
    const files = await readFiles(root, declaration, join(root, declaration.name, name));
    accounts.set(name, accountOf(name, settings, files));
  }
  return accounts;
}

export function accountOf<Settings>(
  name: string,
  settings: Settings,
  files: ReadonlyMap<string, readonly Draft[]>,
): Account<Settings> {
  return { name, settings, rows: (file) => files.get(file) ?? [] };
}

async function readFiles(
  root: string,
  { title, files: known }: Declaration,
  folder: string,
): Promise<ReadonlyMap<string, readonly Draft[]>> {
  const files = new Map<string, Draft[]>();
  for (const file of (await readdir(folder).catch(() => [])).sort()) {
    const name = file.slice(0, -EXTENSION.length);
    if (!file.endsWith(EXTENSION) || !known.includes(name)) {
      const names = known.map((one) => `${one}${EXTENSION}`).join(', ');
      const problem = `is not a file of an account of ${title}; known are ${names}`;
      throw new ScenarioError(relative(root, join(folder, file)), problem);
    }
    const rows: Draft[] = [];
    for await (const { value } of readNdjson(root, join(folder, file))) rows.push(value);
    files.set(name, rows);
  }
  return files;
}

import { glob, readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { nouns } from '../../bin/cli/program.ts';
import type { Cli } from '../../bin/cli/shared/noun.ts';

/** The whole command line, for reading only. */
async function wholeProgram(): Promise<Command> {
  const program = new Command('nightshift').option('--json').option('--help');
  for (const [name, { load }] of Object.entries(nouns))
    (await load()).noun(program.command(name), { io: process, env: {}, exitCode: 0 } as unknown as Cli);
  return program;
}

const VALUE = '…';

/** What stands behind `npx nightshift` in a text; what is put in when it runs is `…`. */
function commandsIn(text: string): string[] {
  let plain = text;
  for (let before = ''; before !== plain; ) {
    before = plain;
    plain = plain.replace(/\$\{[^{}]*\}/g, VALUE);
  }
  return [...plain.matchAll(/npx nightshift ([^`'"\n;,()|&]*)/g)].map(([, words = '']) => words);
}

/** What is wrong with it, if anything. */
function faultOf(program: Command, words: readonly string[], isWhole: boolean): string | undefined {
  let command = program;
  let at = 0;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) break;
    command = next;
    at++;
  }
  const rest = words.slice(at);
  const [first = ''] = rest;
  if (command.commands.length > 0 && !/^(--|…|$|[^a-z])/.test(first)) return `no command ${first}`;
  const options = [...command.options, ...program.options];
  const given = rest.flatMap((word) => /^(--[a-z-]+)/.exec(word)?.[1] ?? []);
  const unknown = given.filter((word) => word !== '--help' && !options.some(({ long }) => long === word));
  if (unknown.length > 0) return `no option ${unknown.join(' ')}`;
  if (!isWhole || rest.some((word) => word.includes(VALUE) || word === '--help')) return undefined;
  const missing = command.options.filter(({ mandatory, long }) => mandatory && !given.includes(long ?? ''));
  return missing.length > 0 ? `without ${missing.map(({ long }) => long).join(' ')}` : undefined;
}

async function faultsIn(files: string, isWhole: boolean): Promise<string[]> {
  const program = await wholeProgram();
  const faults: string[] = [];
  for await (const file of glob(files))
    for (const line of commandsIn(await readFile(file, 'utf8'))) {
      const words = line
        .replace(/#.*/, '')
        .replace(/[.:]*\s*$/, '')
        .split(/\s+/)
        .filter((word) => word !== '');
      const fault = faultOf(program, words, isWhole);
      if (fault !== undefined) faults.push(`${file}: npx nightshift ${words.join(' ')}: ${fault}`);
    }
  return faults.sort();
}

// An operator types what a message says to type: it must exist, and take what is given.
test('each command that a message names can be typed', async () => {
  expect(await faultsIn('{bin,tasks,workers,connectors,sql,runtime}/**/*.ts', true)).toEqual([]);
});

test('each command that the documents name exists, with its options', async () => {
  expect(await faultsIn('{docs/*.md,README.md}', false)).toEqual([]);
});

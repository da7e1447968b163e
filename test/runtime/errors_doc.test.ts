import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ErrorCode, entryOf, errorList, verdictsOf } from '#runtime/error_list.ts';
import { exitCodes } from '#runtime/exit_codes.ts';

const root = join(import.meta.dirname, '../..');
const codes = (Object.keys(errorList) as ErrorCode[]).sort();

const INTRODUCTION = `# Errors

Every error has a code, says what happened and to what, and ends with what to do next. The verdict is what becomes
of a job that meets it: **retry** (tried again, later each time), **hold** (its connection waits until a person acts),
**give up** (the job is dead and kept with the reason). On the command line it only tells how grave it is, and the
command ends with the exit code. This page is made from \`runtime/error_list.ts\` (\`npm run docs:errors\`).

| code | verdict | exit code | when | what to do |
| --- | --- | --- | --- | --- |
`;

function rowOf(code: ErrorCode): string {
  const { exit = 'failed', when, next } = entryOf(code);
  const verdicts = verdictsOf(code).join(' or ').replace('_', ' ');
  return `| \`${code}\` | ${verdicts} | ${exitCodes[exit]} | ${when} | ${next} |\n`;
}

test('docs/errors.md is made from the list', async () => {
  await expect(INTRODUCTION + codes.map(rowOf).join('')).toMatchFileSnapshot('../../docs/errors.md');
});

test('the product raises each code of the list, and no other', () => {
  const files = globSync('{runtime,sql,connectors,tasks,workers,bin}/**/*.ts', { cwd: root });
  const source = files
    .filter((file) => !/^runtime\/(error_list|\w+_errors)\.ts$/.test(file)) // the list itself
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('');
  expect(codes).toEqual([...new Set(source.match(/(?<=')NS_[A-Z_]+(?=')/g))].sort());
});

/**
 * A pattern whose time grows with the square of the text stops a whole process: a message of a million letters
 * took minutes. So each pattern of the product is examined as it is written, not by the clock.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';
import { analyse } from 'scslre';
import { expect, test } from 'vitest';
import '#connectors/providers.ts'; // brings what keys of each provider look like
import { shapes } from '#runtime/shapes.ts';

const root = join(import.meta.dirname, '../..');
const folders = ['runtime', 'sql', 'connectors', 'tasks', 'workers', 'bin'];

type Pattern = { place: string; source: string; flags: string };

function patternsOf(file: string): Pattern[] {
  const { program } = parseSync(file, readFileSync(join(root, file), 'utf8'));
  const found: Pattern[] = [];
  const note = ({ pattern, flags }: { pattern: string; flags: string }) =>
    void found.push({ place: `${file}: /${pattern}/${flags}`, source: pattern, flags });
  new Visitor({ Literal: (node) => void ('regex' in node && note(node.regex)) }).visit(program);
  return found;
}

/** Why the pattern may be slow, if it may: what it does twice with the same letters, and where. */
function slownessOf({ place, source, flags }: Pattern): string[] {
  return analyse({ source, flags }).reports.map(
    ({ type, exponential }) => `${place} is ${exponential ? 'exponential' : 'quadratic'} (${type})`,
  );
}

const written = folders
  .flatMap((folder) => globSync(`${folder}/**/*.{ts,js,mjs}`, { cwd: root }))
  .flatMap(patternsOf);

test('an examination finds what once stopped a worker, and nothing in a pattern of steady speed', () => {
  const pattern = (source: string) => ({ place: 'here', source, flags: 'gi' });
  expect(slownessOf(pattern('([a-z][a-z0-9+.-]*://[^\\s:/@"]*):[^\\s/"]+@'))).toHaveLength(1);
  expect(slownessOf(pattern('^(a+)+$'))).toEqual(['here is exponential (Self)']);
  expect(slownessOf(pattern('(://[^\\s:/@"]{0,128}):[^\\s/"]{1,256}@'))).toEqual([]);
});

test('the time of every pattern of the product grows as its text does', () => {
  expect(written.length).toBeGreaterThan(50);
  expect(written.flatMap(slownessOf)).toEqual([]);
});

test('so does that of every shape, also of those that are made of names', () => {
  const made = shapes.map(({ of, pattern: { source, flags } }) => ({ place: of, source, flags }));
  expect(made.flatMap(slownessOf)).toEqual([]);
});

test('patterns are written where they can be examined: only the shapes put one together', () => {
  const using = folders
    .flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root }))
    .filter((file) => readFileSync(join(root, file), 'utf8').includes('new RegExp('));
  expect(using).toEqual(['runtime/shapes.ts']);
});

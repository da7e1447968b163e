import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { providers } from '#connectors/providers.ts';

const root = join(import.meta.dirname, '../..');
const layers = ['runtime', 'sql', 'connectors', 'tasks', 'workers', 'bin']; // a folder imports from its left only
const outside = ['sandbox', 'test', 'bench'];

// The demo shows the product against the sandbox, and two more commands exist to serve it.
const mayUseSandbox = ['bin/cli/demo/index.ts', 'bin/cli/sandbox/index.ts', 'bin/cli/up/index.ts'];

const FILES_MAX = 20;

type Import = { file: string; from: string; to: string; specifier: string };

const files = globSync(
  [...layers, ...outside].map((folder) => `${folder}/**/*.ts`),
  { cwd: root, exclude: ['**/node_modules/**'] }, // bench has one of its own
);
const imports = files.flatMap(importsOf);

/** Every import of a file that stays inside the project, static, dynamic or for types, with the folder it leads to. */
function importsOf(file: string): Import[] {
  const source = readFileSync(join(root, file), 'utf8');
  const found = source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([#.][^']*)'/g);
  return [...found].map(([, specifier = '']) => ({
    file,
    specifier,
    from: file.split('/')[0] ?? '',
    to: specifier.startsWith('#')
      ? (specifier.slice(1).split('/')[0] ?? '')
      : (join(file, '..', specifier).split('/')[0] ?? ''),
  }));
}

const shown = (wrong: Import[]) => wrong.map(({ file, specifier }) => `${file} imports ${specifier}`);

test('the imports of this project are seen', () => {
  expect(imports.length).toBeGreaterThan(20);
  expect(importsOf('sql/db/pool.ts').map(({ to }) => to)).toEqual(['runtime', 'sql', 'sql', 'sql']);
});

test('a folder imports only from those on its left', () => {
  const rank = (folder: string) => layers.indexOf(folder);
  const wrong = imports.filter(({ from, to }) => rank(from) >= 0 && rank(to) >= 0 && rank(to) > rank(from));
  expect(shown(wrong)).toEqual([]);
});

test('nothing of the product imports the sandbox, tests or benches, but the commands that serve the sandbox', () => {
  const wrong = imports.filter(
    ({ file, from, to }) =>
      layers.includes(from) && outside.includes(to) && !(to === 'sandbox' && mayUseSandbox.includes(file)),
  );
  expect(shown(wrong)).toEqual([]);
});

test('the sandbox imports nothing of the product, so that it cannot share its mistakes', () => {
  expect(shown(imports.filter(({ from, to }) => from === 'sandbox' && to !== 'sandbox'))).toEqual([]);
});

test('across folders an import begins with #, inside a folder with ./, and it names the file as it is', () => {
  const product = imports.filter(({ from }) => layers.includes(from));
  const wrong = product.filter(({ from, to, specifier }) => {
    if (specifier.endsWith('.json')) return false;
    const crosses = from !== to && !outside.includes(to);
    return crosses !== specifier.startsWith('#') || !specifier.endsWith('.ts');
  });
  expect(shown(wrong)).toEqual([]);
});

test('no file imports one that imports it, not even for its types', () => {
  const paths = imports.map(({ file, specifier }) => ({
    file,
    to: specifier.startsWith('#') ? specifier.slice(1) : join(file, '..', specifier),
  }));
  const importsFrom = Map.groupBy(paths, ({ file }) => file);
  const circles: string[] = [];
  const behind = new Set<string>(); // no circle begins with these
  const walk = (file: string, trail: readonly string[]) => {
    if (trail.includes(file)) circles.push([...trail.slice(trail.indexOf(file)), file].join(' → '));
    if (trail.includes(file) || behind.has(file)) return;
    for (const { to } of importsFrom.get(file) ?? []) walk(to, [...trail, file]);
    behind.add(file);
  };
  for (const file of files) walk(file, []);
  expect(circles).toEqual([]);
});

test('a folder that outgrows twenty files gets rooms', () => {
  const sizes = new Map<string, number>();
  for (const file of globSync('**', {
    cwd: root,
    exclude: ['**/node_modules', 'dist', '.nightshift'], // the package is compiled while others test
    withFileTypes: true,
  }))
    if (file.isFile()) sizes.set(file.parentPath, (sizes.get(file.parentPath) ?? 0) + 1);
  // Migrations are one list, in the order of their numbers.
  sizes.delete(join(root, 'sql/migrations'));
  const full = [...sizes].filter(([, files]) => files > FILES_MAX);
  expect(full).toEqual([]);
  expect(Math.max(...sizes.values())).toBeGreaterThan(FILES_MAX / 2); // the folders are seen
});

test('nothing outside the folder of a provider knows its name', () => {
  const names = new RegExp(`(${providers.map(({ name }) => name).join('|')}|sendgrid|ayrshare)`, 'i');
  const mayNameOne =
    /^(connectors\/(providers\.ts|(shopify|stripe|sendgrid|ayrshare)\/)|bin\/cli\/demo\/|sql\/rollups\/|sandbox|test|bench)/;
  const naming = files.filter(
    (file) => !mayNameOne.test(file) && names.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(naming).toEqual([]);
});

test('the environment is read by entry points only; every layer below gets values', () => {
  const code = (file: string) =>
    readFileSync(join(root, file), 'utf8').replaceAll(/^\s*(\/?\*|\/\/).*$/gm, '');
  const below = files.filter((file) =>
    [...layers.slice(0, -1), 'sandbox'].some((folder) => file.startsWith(`${folder}/`)),
  );
  expect(below.filter((file) => /process\.env\b/.test(code(file)))).toEqual([]);
});

test('the published peer that we measure against is known to the bench only', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(Object.keys(manifest.dependencies).filter((name) => name.startsWith('@supabase/'))).toEqual([]);
  const naming = files.filter((file) => readFileSync(join(root, file), 'utf8').includes('@supabase/'));
  expect(
    naming.filter((file) => !file.startsWith('bench/') && file !== 'test/package/layers.test.ts'),
  ).toEqual([]);
  expect(naming).toContain('bench/stripe_peer.ts');
});

test('the private tables of the queue are known where sql/queue/jobs.ts says', () => {
  const sources = globSync('{runtime,sql,connectors,tasks,workers,bin}/**/*.{ts,sql}', { cwd: root });
  const knowing = sources.filter((file) =>
    readFileSync(join(root, file), 'utf8').includes('graphile_worker._private'),
  );
  expect(knowing.sort()).toEqual([
    'bin/cli/jobs/filter.ts',
    'sql/migrations/0002_queue.sql',
    'sql/migrations/0028_deliveries.sql',
    'sql/queue/pauses.ts',
  ]);
});

test('every law is tried through test/support/property.ts, which fixes and prints the seeds', () => {
  const direct = files.filter((file) =>
    /\bfc\.(assert|check)\(/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(direct).toEqual(['test/support/property.ts']);
});

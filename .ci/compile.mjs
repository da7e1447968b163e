// What `npm pack` needs first: the product as JavaScript in dist/, because Node strips no types below
// node_modules. Everything else in its folders (SQL, schemas, data) goes along as it is, and a
// package.json of its own points the #imports at the compiled files.
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const folders = ['runtime', 'sql', 'connectors', 'tasks', 'workers', 'bin', 'sandbox'];

await rm('dist', { recursive: true, force: true });
execFileSync('tsc', ['--project', 'tsconfig.pack.json'], { stdio: 'inherit' });
// The compiler rewrites imports, but not a program that is named by its address to be started.
for (const file of globSync('dist/**/*.js')) {
  const code = await readFile(file, 'utf8');
  await writeFile(file, code.replaceAll(/(new URL\('\.[^']*)\.ts'/g, "$1.js'"));
}
for (const folder of folders) {
  await cp(folder, `dist/${folder}`, { recursive: true, filter: (path) => !/\.(ts|mjs)$/.test(path) });
}

const { name, version, description, license, type, imports } = JSON.parse(
  await readFile('package.json', 'utf8'),
);
const compiled = Object.entries(imports).map(([from, to]) => [`${from}.ts`, `${to}.js`]);
const manifest = { name, version, description, license, type, imports: Object.fromEntries(compiled) };
await writeFile('dist/package.json', `${JSON.stringify(manifest, null, 2)}\n`);

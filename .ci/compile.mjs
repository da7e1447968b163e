// What `npm pack` needs first: the product as JavaScript in dist/, because Node strips no types below
// node_modules. Everything else in its folders (SQL, schemas, data) goes along as it is, and a
// package.json of its own points the #imports at the compiled files.
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const folders = ['runtime', 'sql', 'connectors', 'tasks', 'workers', 'bin', 'sandbox'];

rmSync('dist', { recursive: true, force: true });
execFileSync('tsc', ['--project', 'tsconfig.pack.json'], { stdio: 'inherit' });
// The compiler rewrites imports, but not a program that is named by its address to be started.
for (const file of globSync('dist/**/*.js')) {
  const code = readFileSync(file, 'utf8');
  writeFileSync(file, code.replaceAll(/(new URL\('\.[^']*)\.ts'/g, "$1.js'"));
}
for (const folder of folders) {
  cpSync(folder, `dist/${folder}`, { recursive: true, filter: (path) => !/\.(ts|mjs)$/.test(path) });
}

const { name, version, description, license, type, imports } = JSON.parse(
  readFileSync('package.json', 'utf8'),
);
const compiled = Object.entries(imports).map(([from, to]) => [`${from}.ts`, `${to}.js`]);
const manifest = { name, version, description, license, type, imports: Object.fromEntries(compiled) };
writeFileSync('dist/package.json', `${JSON.stringify(manifest, null, 2)}\n`);

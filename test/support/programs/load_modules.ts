/** Loads every compiled module below a folder but the programs: node load_modules.ts <dist>. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const programs = [
  'bin/nightshift.js',
  'bin/scheduler.js',
  'bin/web.js',
  'bin/worker.js',
  'sandbox/main.js',
  'workers/queue/watchdog_thread.js',
]; // these would run

const [, , dist = ''] = process.argv;
const modules = globSync('**/*.js', { cwd: dist }).filter((file) => !programs.includes(file));
for (const file of modules) {
  await import(pathToFileURL(join(dist, file)).href).catch((cause) => {
    throw new Error(`cannot load ${file}`, { cause });
  });
}
console.log(modules.length);
process.exit(0);

/** Fetches what the benches measure beside Nightshift, when it is missing; a product install has none of it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const NPM_FETCH_MS_MAX = 10 * 60_000;
const bench = import.meta.dirname;

type Manifest = { dependencies?: Record<string, string>; version?: string };

function read(...path: string[]): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(join(bench, ...path), 'utf8'));
  } catch {
    return undefined; // not there, or not whole: npm fetches it again
  }
}

const wanted = Object.entries(read('package.json')?.dependencies ?? {});
const missing = wanted.filter(
  ([name, version]) => read('node_modules', name, 'package.json')?.version !== version,
);
if (missing.length > 0) {
  const names = missing.map(([name, version]) => `${name} ${version}`).join(', ');
  console.error(`The benches measure ${names} too: npm fetches that into bench/node_modules …`);
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts'], {
    cwd: bench,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: NPM_FETCH_MS_MAX,
    shell: process.platform === 'win32', // there npm is a script
  });
  if (status !== 0) {
    console.error('npm could not fetch them: the benches need the npm registry once.');
    console.error(
      '  next: connect to a network that reaches it, then: npm ci --prefix bench --ignore-scripts',
    );
    process.exit(1);
  }
}

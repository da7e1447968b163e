import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { emptyDb } from '../support/db/db.ts';
import { runProgram } from '../support/program.ts';

const root = join(import.meta.dirname, '../..');
const exec = promisify(execFile);
const { version, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The package as `npm install` would lay it down, with the dependencies that this checkout has already. */
async function installed() {
  const place = await mkdtemp(join(tmpdir(), 'nightshift-package-'));
  const home = join(place, 'node_modules/nightshift');
  await mkdir(home, { recursive: true });
  const { stdout } = await exec('npm', ['pack', '--silent', '--pack-destination', place], { cwd: root });
  await exec('tar', [
    '-xzf',
    join(place, stdout.trim().split('\n').at(-1) ?? ''),
    '--strip-components=1',
    '-C',
    home,
  ]);
  for (const name of Object.keys(dependencies)) {
    const link = join(place, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(root, 'node_modules', name), link);
  }
  return {
    home,
    files: globSync('**/*', { cwd: home }),
    run: (args: string[], env: NodeJS.ProcessEnv = {}) =>
      exec(process.execPath, [join(home, 'bin/nightshift.mjs'), ...args], {
        cwd: place,
        env: { ...process.env, ...env },
      }),
    [Symbol.asyncDispose]: () => rm(place, { recursive: true, force: true }),
  };
}

test('the packed package installs, runs, and brings a database to its schema', async () => {
  await using nightshift = await installed();
  expect((await nightshift.run(['--version'])).stdout.trim()).toBe(version);

  await using db = await emptyDb();
  await nightshift.run(['migrate'], { DATABASE_URL: db.url });
  const migrations = globSync('sql/migrations/*.sql', { cwd: root }).length;
  expect(await db.column('select count(*) from ops.migrations')).toEqual([migrations]);

  // Each module of it loads, and with it the SQL, schemas and data that it reads.
  await using loading = runProgram('load_modules.ts', [join(nightshift.home, 'dist')]);
  expect(Number(await loading.line())).toBeGreaterThan(50);

  expect(nightshift.files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'CHANGELOG.md']));
  expect(nightshift.files.filter((file) => /\.ts$|^(test|bench)\//.test(file))).toEqual([]);
});

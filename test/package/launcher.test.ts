import { execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtempDisposable, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { freePorts } from '../support/program.ts';

const root = join(import.meta.dirname, '../..');
const { version, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// An older Node is played by this one that says it is old; the launcher goes by what it says.
const pretend = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})";

function launchOnOldNode(args: string[], options: SpawnOptions = {}) {
  const child = spawn(process.execPath, ['--import', pretend, join(root, 'bin/nightshift.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal);
  return { child, ended, stdout: child.stdout && text(child.stdout) };
}

test('on an older Node the command runs on the one that npm ci brought', async () => {
  const launched = launchOnOldNode(['--version']);
  expect(await launched.ended).toBe(0);
  expect((await launched.stdout)?.trim()).toBe(version);
});

test('what was compiled is kept where only its owner writes, and is not taken from anywhere else', async () => {
  await using dir = await mkdtempDisposable(join(tmpdir(), 'nightshift-cache-'));
  const cache = join(dir.path, 'nightshift');
  const env = { PATH: process.env.PATH ?? '', XDG_CACHE_HOME: dir.path };
  const launch = () => spawnSync(process.execPath, [join(root, 'bin/nightshift.mjs'), '--version'], { env });
  expect(launch().status).toBe(0);
  expect((await stat(cache)).mode & 0o777).toBe(0o700);
  expect(await readdir(cache)).not.toEqual([]);

  await rm(cache, { recursive: true });
  await mkdir(cache);
  await chmod(cache, 0o777);
  expect(launch().status).toBe(0);
  expect(await readdir(cache)).toEqual([]);
  await rm(cache, { recursive: true });
  await writeFile(cache, ''); // no directory at all
  expect(launch().status).toBe(0);
});

test('its exit code is the exit code of the command', async () => {
  expect(await launchOnOldNode(['no-such-noun']).ended).toBe(2);
});

test('a signal reaches the command, and its orderly end is the end', async () => {
  await using db = await freshDb();
  const env = { ...process.env, ...freePorts, DATABASE_URL: db.url };
  const { child, ended } = launchOnOldNode(['up'], { env });
  if (child.stderr === null) throw new Error('no stderr');
  for await (const chunk of child.stderr) if (String(chunk).includes('worker')) break; // it is up
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

// Its process stays the same, so that whoever started it can stop it.
test('what runs on, runs with the flags by which a worker keeps its memory small', async () => {
  await using db = await freshDb();
  const child = spawn(process.execPath, [join(root, 'bin/nightshift.mjs'), 'up'], {
    env: { ...process.env, ...freePorts, DATABASE_URL: db.url },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  for await (const chunk of child.stderr) if (String(chunk).includes('worker')) break; // it is up
  const commandLine = execFileSync('ps', ['-o', 'args=', '-p', String(child.pid)], { encoding: 'utf8' });
  const flags = String(scripts.worker)
    .split(' ')
    .filter((word) => word.startsWith('--'));
  expect(flags).not.toEqual([]);
  expect(commandLine.split(' ')).toEqual(expect.arrayContaining(flags));
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { makeLog } from '#runtime/log.ts';
import { openDb } from '#sql/db/pool.ts';
import { openServer, type Server } from '#sql/embedded/open_server.ts';
import { embeddedHome, removeDataDir } from '../support/db/embedded_home.ts';
import { copyCluster } from '../support/db/ready_cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type Program, runProgram } from '../support/program.ts';

const log = makeLog('silent', 'test');
const isRoot = process.getuid?.() === 0;

/** A data directory that is yet to be made, below one that only its owner can enter, as a checkout in root's home is. */
async function newDirectory() {
  const outer = await mkdtemp(join(tmpdir(), 'nightshift-embedded-')); // mode 700
  const dataDir = join(outer, 'checkout', '.nightshift');
  return {
    dataDir,
    home: async () => (await embeddedHome(dataDir)) ?? '',
    [Symbol.asyncDispose]: async () => {
      await removeDataDir(dataDir);
      await rm(outer, { recursive: true, force: true });
    },
  };
}

/** One in which a server has run and was stopped. */
async function usedDirectory() {
  const place = await newDirectory();
  await copyCluster(inject('cluster'), place.dataDir);
  return place;
}

const serve = (dataDir: string) => runProgram('serve.ts', [dataDir]);

async function leave(program: Program): Promise<void> {
  program.child.kill('SIGTERM');
  expect(await program.ended()).toBe(0);
}

async function ask<T>(url: string, text: string): Promise<T | undefined> {
  await using db = openDb(url, { applicationName: 'embedded test', max: 1 });
  const { rows } = await db.query<{ answer: T }>(text);
  return rows[0]?.answer;
}

const postmaster = async (home: string) =>
  Number((await readFile(join(home, 'data/postmaster.pid'), 'utf8')).split('\n')[0]);

function isGone(url: string) {
  return expect(ask(url, 'select 1 as answer')).rejects.toMatchObject({ code: 'NS_DATABASE_UNREACHABLE' });
}

/** A server that began with nothing, for tests that only look at it. */
let first: { server: Server; place: Awaited<ReturnType<typeof newDirectory>> };
beforeAll(async () => {
  const place = await newDirectory();
  first = { place, server: await openServer({ dataDir: place.dataDir, log }) };
});
afterAll(async () => {
  await first.server[Symbol.asyncDispose]();
  await first.place[Symbol.asyncDispose]();
});

test('with DATABASE_URL that server is used, and nothing is started or written', async () => {
  await using place = await newDirectory();
  await using server = await openServer({ databaseUrl: inject('serverUrl'), dataDir: place.dataDir, log });
  expect(server.url).toBe(inject('serverUrl'));
  expect(existsSync(place.dataDir)).toBe(false);
});

test('without it PostgreSQL 18 runs, in UTF8 that sorts and folds alike on every machine, on loopback only', async () => {
  const { server } = first;
  expect(await ask(server.url, "select current_setting('server_version') as answer")).toMatch(/^18\./);
  expect(await ask(server.url, "select current_setting('server_encoding') as answer")).toBe('UTF8');
  expect(await ask(server.url, "select upper('é') || (lower('Ä') = 'ä') || ('Z' < 'a') as answer")).toBe(
    'Étruetrue',
  );
  expect(await ask(server.url, "select current_setting('listen_addresses') as answer")).toBe('127.0.0.1');
  expect(await ask(server.url, "select current_setting('unix_socket_directories') as answer")).toBe('');
  expect(new URL(server.url).hostname).toBe('127.0.0.1');
});

test('its log repeats no value of a statement that fails', async () => {
  const { server, place } = first;
  const failing = [
    `select 'anna@example.com'::int as answer`,
    `with a as (select 1) select raise.answer from (select 1/0 as answer, 'anna@example.com') raise`,
    `do $$ begin raise warning 'anna@example.com'; raise exception 'no' using detail = 'anna@example.com'; end $$`,
  ];
  for (const statement of failing) await ask(server.url, statement).catch(() => {});
  const told = await readFile(join(await place.home(), 'postgres.log'), 'utf8');
  expect(told).toContain('ready to accept connections');
  expect(told).not.toContain('anna');
});

test('nobody gets in without the random password, and it lies in no file that others can read', async () => {
  const { server, place } = first;
  const wrong = new URL(server.url);
  expect(wrong.password).toMatch(/^[0-9a-f]{48}$/);
  wrong.password = 'guess';
  await expect(ask(wrong.href, 'select 1 as answer')).rejects.toThrow(/password authentication failed/);

  const mode = async (path: string) => (await stat(path)).mode & 0o777;
  expect(await mode(place.dataDir)).toBe(0o700);
  expect(await mode(join(place.dataDir, 'postgres.json'))).toBe(0o600);
  expect(await mode(await place.home())).toBe(0o700);
  expect((await readdir(await place.home())).sort()).toEqual(['data', 'postgres.log']); // no password file
});

test.runIf(isRoot)(
  'started by root it runs as another account, from binaries that only root can change',
  async () => {
    const home = await first.place.home();
    const { uid } = await stat(join(home, 'data'));
    expect(uid).not.toBe(0);
    const status = await readFile(`/proc/${await postmaster(home)}/status`, 'utf8');
    expect(status).toMatch(new RegExp(`^Uid:(\\s+${uid}){4}$`, 'm'));
    expect(status).toMatch(/^Groups:\s*\d*\s*$/m);
    for (const directory of ['/var/lib/nightshift', `/var/lib/nightshift/${await binaries()}/bin`]) {
      const { uid: owner, mode } = await stat(directory);
      expect({ owner, mode: mode & 0o777 }).toEqual({ owner: 0, mode: 0o755 });
    }
  },
);

async function binaries(): Promise<string> {
  const found = (await readdir('/var/lib/nightshift')).find((name) => name.startsWith('postgresql-18'));
  return found ?? 'none';
}

test.runIf(isRoot)('root writes no log through a link that the account of the server has made', async () => {
  await using place = await usedDirectory();
  const [logFile, target] = [join(await place.home(), 'postgres.log'), join(place.dataDir, 'of_root')];
  await rm(logFile);
  await symlink(target, logFile);
  await expect(openServer({ dataDir: place.dataDir, log })).rejects.toThrow('ELOOP');
  expect(existsSync(target)).toBe(false);
});

test('what was written is there when the server is started again', async () => {
  await using place = await usedDirectory();
  {
    await using server = await openServer({ dataDir: place.dataDir, log });
    await ask(server.url, 'create table public.kept as select 7 as answer');
  }
  await using server = await openServer({ dataDir: place.dataDir, log });
  expect(await ask(server.url, 'select answer from public.kept')).toBe(7);
});

test('commands that begin at once on an empty directory share one server; only the last to leave stops it', async () => {
  await using place = await newDirectory();
  await using first = serve(place.dataDir);
  await using second = serve(place.dataDir);
  await using third = serve(place.dataDir);
  const urls = await Promise.all([first.line(), second.line(), third.line()]);
  expect(new Set(urls).size).toBe(1);
  const [url = ''] = urls;

  await leave(second);
  expect(await ask(url, 'select 1 as answer')).toBe(1);
  await Promise.all([leave(first), leave(third)]); // each must not leave the stopping to the other
  await isGone(url);
  expect(existsSync(join(await place.home(), 'data/postmaster.pid'))).toBe(false);
});

test('a command that comes while the last one is leaving gets a server', async () => {
  await using place = await usedDirectory();
  await using keeper = serve(place.dataDir);
  await keeper.line();
  keeper.child.kill('SIGTERM');
  await using server = await openServer({ dataDir: place.dataDir, log });
  expect(await keeper.ended()).toBe(0);
  expect(await ask(server.url, 'select 1 as answer')).toBe(1);
});

test('a server whose only command was killed is taken over and stopped by the next one', async () => {
  await using place = await usedDirectory();
  await using killed = serve(place.dataDir);
  const url = await killed.line();
  killed.child.kill('SIGKILL');
  await killed.ended();
  {
    await using server = await openServer({ dataDir: place.dataDir, log });
    expect(server.url).toBe(url);
    // Its session may need a moment to notice the death; until then it would count as a user.
    await eventually(async () =>
      expect(await ask(url, "select count(*)::int as answer from pg_locks where locktype = 'advisory'")).toBe(
        1,
      ),
    );
  }
  await isGone(url);
});

test('after a crash of everything the next command recovers what was committed', async () => {
  await using place = await usedDirectory();
  await using killed = serve(place.dataDir);
  const url = await killed.line();
  await ask(url, 'create table public.kept as select 7 as answer');
  process.kill(await postmaster(await place.home()), 'SIGKILL');
  killed.child.kill('SIGKILL');
  await killed.ended();
  await eventually(() => isGone(url));
  await using server = await openServer({ dataDir: place.dataDir, log });
  expect(await ask(server.url, 'select answer from public.kept')).toBe(7);
});

test('a crash of one process of PostgreSQL takes no user off the count', async () => {
  await using place = await usedDirectory();
  await using server = await openServer({ dataDir: place.dataDir, log });
  const sessions = "select string_agg(pid::text, ',') as answer from pg_locks where locktype = 'advisory'";
  const before = await ask<string>(server.url, sessions);
  process.kill(Number(before), 'SIGKILL'); // the server then ends every session and recovers
  await eventually(async () => expect([before, null]).not.toContain(await ask(server.url, sessions)));
  await (await openServer({ dataDir: place.dataDir, log }))[Symbol.asyncDispose]();
  expect(await ask(server.url, 'select 1 as answer')).toBe(1);
});

test('who relies on a server that is gone for good hears of it', async () => {
  await using place = await usedDirectory();
  await using server = await openServer({ dataDir: place.dataDir, log });
  process.kill(await postmaster(await place.home()), 'SIGKILL');
  await expect(server.lost).rejects.toMatchObject({ code: 'NS_EMBEDDED_FAILED' });
});

for (const [whose, pidOf] of [
  ['another program', async () => process.pid],
  ['the server of other data', (other: string) => postmaster(other)],
] as const) {
  test(`a left pid file whose number now belongs to ${whose} does not stop the start`, async () => {
    await using elsewhere = await usedDirectory();
    await using other = await openServer({ dataDir: elsewhere.dataDir, log });
    await using place = await usedDirectory();
    const data = join(await place.home(), 'data');
    const pid = await pidOf(await elsewhere.home());
    const lines = [pid, data, 1_700_000_000, new URL(other.url).port, '', '127.0.0.1', '', 'ready'];
    await writeFile(join(data, 'postmaster.pid'), lines.join('\n'), { mode: 0o600 });

    await using server = await openServer({ dataDir: place.dataDir, log });
    expect(await ask(server.url, "select current_setting('data_directory') as answer")).toBe(data);
    expect(await ask(other.url, 'select 1 as answer')).toBe(1);
  });
}

test('when the data are gone, the error says which file to delete', async () => {
  await using place = await usedDirectory();
  await rm(await place.home(), { recursive: true });
  await expect(openServer({ dataDir: place.dataDir, log })).rejects.toMatchObject({
    code: 'NS_EMBEDDED_FAILED',
    hint: expect.stringContaining(join(place.dataDir, 'postgres.json')),
  });
});

test('a server that cannot start says why, in the words of PostgreSQL', async () => {
  await using place = await usedDirectory();
  const settings = { shared_buffers: 'plenty' };
  await expect(openServer({ dataDir: place.dataDir, log, settings })).rejects.toMatchObject({
    code: 'NS_EMBEDDED_FAILED',
    message: expect.stringContaining('shared_buffers'),
    hint: expect.stringContaining('postgres.log'),
  });
});

test('a data directory that cannot be used is named, with the way out', async () => {
  await using place = await newDirectory();
  await mkdir(join(place.dataDir, '..'));
  await writeFile(place.dataDir, 'a file stands where the directory should be');
  await expect(openServer({ dataDir: place.dataDir, log })).rejects.toMatchObject({
    code: 'NS_EMBEDDED_FAILED',
    message: expect.stringContaining(place.dataDir),
    hint: expect.stringContaining('DATABASE_URL'),
  });
});

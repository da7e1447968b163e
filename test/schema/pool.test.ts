import { readFile } from 'node:fs/promises';
import { expect, inject, test } from 'vitest';
import { openDb, type Tx } from '#sql/db/pool.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { runProgram } from '../support/program.ts';

const server = () => inject('serverUrl');
const open = (url = server(), more = {}) => openDb(url, { applicationName: 'pool test', ...more });

function changed(part: 'port' | 'password' | 'pathname', value: string): string {
  const url = new URL(server());
  url[part] = value;
  return url.href;
}

test('values keep what they are: days and amounts as text, bigint as number, instants as Date', async () => {
  await using db = open();
  const { rows } = await db.query(`
    select date '2024-02-29' as day, array[date '2024-02-29', null] as days,
           12345678901234567890.120::numeric as amount, array[0.10::numeric] as amounts,
           9007199254740991::bigint as big, array[1::bigint, null] as bigs,
           timestamptz '2024-02-29 12:00+02' as instant, timestamp '2024-02-29 12:00' as local,
           count(*) as n`);
  expect(rows).toEqual([
    {
      day: '2024-02-29',
      days: ['2024-02-29', null],
      amount: '12345678901234567890.120',
      amounts: ['0.10'],
      big: 9007199254740991,
      bigs: [1, null],
      instant: new Date('2024-02-29T10:00:00Z'),
      local: '2024-02-29 12:00:00',
      n: 1,
    },
  ]);
});

test('a bigint that a number cannot hold is an error and no wrong number', async () => {
  await using db = open();
  await expect(db.query('select 9007199254740993::bigint')).rejects.toMatchObject({
    code: 'NS_NUMBER_TOO_LARGE',
  });
  expect((await db.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

test('a session speaks UTC, looks for its client while it works, and limits statements', async () => {
  await using db = open(server(), { statementTimeoutMs: 1234 });
  const setting = async (name: string) =>
    (await db.query<{ value: string }>('select current_setting($1) as value', [name])).rows[0]?.value;
  expect(await setting('timezone')).toBe('UTC');
  expect(await setting('datestyle')).toMatch(/^ISO,/);
  expect(await setting('client_connection_check_interval')).toBe('500ms');
  expect(await setting('tcp_keepalives_idle')).toBe('3');
  expect(await setting('statement_timeout')).toBe('1234ms');
  expect(await setting('idle_in_transaction_session_timeout')).toBe('1min');
  expect(await setting('application_name')).toBe('pool test');
});

// The kernel's table of sockets: local address and port, …, which timer runs (2 = probes) and until when.
const socketOfPort = (port: number) =>
  new RegExp(`^\\s*\\d+: \\w+:${port.toString(16).padStart(4, '0')} .* 02:(\\w{8}) `, 'im');
const TICKS_PER_SECOND = 100;

test.runIf(process.platform === 'linux')('a server that vanishes is noticed from our side too', async () => {
  await using db = open(server(), { max: 1 });
  const { rows } = await db.query<{ port: number }>('select inet_client_port() as port');
  const sockets = (await readFile('/proc/net/tcp', 'utf8')) + (await readFile('/proc/net/tcp6', 'utf8'));
  const [, ticks = ''] = sockets.match(socketOfPort(rows[0]?.port ?? 0)) ?? [];
  expect(Number.parseInt(ticks, 16) / TICKS_PER_SECOND).toBeLessThanOrEqual(3); // by itself two hours
});

test('a statement that takes too long is cancelled, and the connection goes on', async () => {
  await using db = open(server(), { statementTimeoutMs: 50, max: 1 });
  await expect(db.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57014' });
  expect((await db.query('select 1 as one')).rowCount).toBe(1);
});

test('settings that the address asks for win over ours', async () => {
  const url = new URL(server());
  url.searchParams.set('options', '-c statement_timeout=77ms');
  await using db = open(url.href);
  expect(
    (
      await db.query(
        "select current_setting('statement_timeout') as value, current_setting('timezone') as zone",
      )
    ).rows,
  ).toEqual([{ value: '77ms', zone: 'UTC' }]);
});

async function tableOfOne(db: TestDb) {
  await db.query('create table public.t (n int primary key)');
  return () => db.column('select n from public.t order by n');
}

test('a transaction commits all of it or nothing', async () => {
  await using db = await freshDb();
  const stored = await tableOfOne(db);
  await db.transaction((tx) => tx.query('insert into public.t values (1)'));
  const half = db.transaction(async (tx) => {
    await tx.query('insert into public.t values (2)');
    throw new Error('changed my mind');
  });
  await expect(half).rejects.toThrow('changed my mind');
  expect(await stored()).toEqual([1]);
});

test('a transaction whose failed statement was swallowed does not pass for committed', async () => {
  await using db = await freshDb();
  const stored = await tableOfOne(db);
  const swallowing = db.transaction(async (tx) => {
    await tx.query('insert into public.t values (1)');
    await tx.query('insert into public.t values (1)').catch(() => {});
  });
  await expect(swallowing).rejects.toMatchObject({ code: 'NS_TRANSACTION_ROLLED_BACK', verdict: 'retry' });
  expect(await stored()).toEqual([]);
});

test('connections that the server ends, idle or in the middle, end neither process nor pool', async () => {
  await using db = await freshDb();
  await using other = open(db.url, { applicationName: 'the one who ends others' });
  const endAll = () =>
    other.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name = $2',
      [db.name, 'nightshift test'],
    );
  await Promise.all([db.query('select 1'), db.query('select 2')]);
  await endAll();
  const cut = db.transaction(async (tx) => {
    await tx.query('select 1');
    const broken = new Promise((resolve) => tx.once('end', resolve)); // while nobody asks it anything
    await endAll();
    await broken;
    await tx.query('select 2');
  });
  await expect(cut).rejects.toThrow();
  await eventually(async () => expect(await db.column('select 1')).toEqual([1]));
});

test('a process killed in the middle of a long statement leaves no session behind', async () => {
  await using db = await freshDb();
  await using program = runProgram('long_statement.ts', [db.url]);
  await program.line();
  const sessions = () =>
    db.column(
      "select pid from pg_stat_activity where application_name = 'long statement' and datname = current_database()",
    );
  await eventually(async () => expect(await sessions()).toHaveLength(1));
  program.child.kill('SIGKILL');
  await eventually(async () => expect(await sessions()).toEqual([]));
});

test.each([
  ['nobody listens', () => changed('port', '1'), 'ECONNREFUSED'],
  ['the database does not exist', () => changed('pathname', 'nowhere'), 'does not exist'],
])('when %s, the error says where and what to do, without the password', async (_, url, cause) => {
  const address = new URL(url());
  address.password = 'hunter2-secret';
  if (cause !== 'ECONNREFUSED') address.password = new URL(server()).password;
  await using db = open(address.href);
  const error = await db.query('select 1').catch((reason) => reason);
  expect(error).toMatchObject({ code: 'NS_DATABASE_UNREACHABLE', verdict: 'retry' });
  expect(error.message).toContain(`${address.hostname}:${address.port}${address.pathname}`);
  expect(error.message).toContain(cause);
  expect(error.hint).toContain('DATABASE_URL');
  expect(`${error.message} ${error.hint}`).not.toContain('hunter2-secret');
  await expect(db.transaction(async () => {})).rejects.toMatchObject({ code: 'NS_DATABASE_UNREACHABLE' });
});

test.each([
  [
    [
      {
        toPostgres: () => {
          throw new Error('no such value');
        },
      },
    ],
    'no such value',
  ], // fails while it is bound
  ['none', 'must be an array'], // and before
])('what could not be sent is not committed', async (values, why) => {
  await using db = await freshDb();
  await db.query('create table public.kept (id integer)');
  let over = 0;
  const bracket = {
    first: () => ({ name: 'first', text: 'select 1', values: [] }),
    body: (tx: Tx) => tx.query('insert into public.kept values (1)'),
    last: () => ({ name: 'last', text: 'select $1::text', values: values as unknown[] }),
    afterwards: async () => void over++,
  };
  await expect(db.bracketed(bracket)).rejects.toThrow(why);
  expect(await db.column('select id from public.kept')).toEqual([]);
  const first = () => {
    throw new Error('no statement');
  };
  await expect(db.bracketed({ ...bracket, first })).rejects.toThrow('no statement');
  expect(over).toBe(2);
});

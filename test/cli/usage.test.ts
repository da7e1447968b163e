import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { scenarioDir } from '../support/providers/sandbox.ts';

test('--help names every noun and ends with 0', async () => {
  const { code, stdout } = await nightshift(['--help']);
  expect(code).toBe(0);
  for (const noun of [
    'demo',
    'up',
    'migrate',
    'brands',
    'retailers',
    'connections',
    'sync',
    'rollup',
    'jobs',
  ]) {
    expect(stdout).toMatch(new RegExp(`^  ${noun} `, 'm'));
  }
});

test('a mistyped noun is refused with the one that was meant', async () => {
  const { code, stdout, stderr } = await nightshift(['brand', 'list']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain("unknown command 'brand'");
  expect(stderr).toContain('Did you mean brands?');
});

test('a mistyped option is refused with the one that was meant', async () => {
  for (const [typed, meant] of [
    ['--brnad', '--brand'],
    ['--bran', '--brand'],
    ['--timout', '--timeout'],
  ] as const) {
    const others = meant === '--brand' ? [] : ['--brand', 'acme'];
    const { code, stderr } = await nightshift(['sync', 'run', ...others, typed, '10m']);
    expect(code).toBe(2);
    expect(stderr).toContain(`Did you mean ${meant}? Else npx nightshift sync run --help`);
  }
});

test('a noun without a verb shows its verbs and is a usage error', async () => {
  const { code, stderr } = await nightshift(['connections']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^ {2}add /m);
});

test('a key that is typed as an argument is refused and not repeated', async () => {
  const key = 'shpat_0123456789abcdef';
  for (const args of [[`--key=${key}`], ['--key', key], [key], ['--key-env', key]]) {
    const ran = await nightshift(['connections', 'key', 'acme', '--brand', 'acme', ...args]);
    expect(ran.code).toBe(2);
    expect(ran.stdout + ran.stderr).not.toContain(key);
  }
});

test('with --json an error is one line of JSON on stderr with its code and its hint', async () => {
  const { code, stdout, stderr } = await nightshift(['rollup', 'run', '--from', '2026-02-30', '--json']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  const { error } = JSON.parse(stderr);
  expect(error).toMatchObject({
    code: 'NS_USAGE',
    message: expect.stringContaining("'2026-02-30' is invalid"),
  });
  expect(error.hint).toContain('npx nightshift rollup run --help');
});

test('the help that is named is that of the command, however deep it is', async () => {
  for (const [line, help] of [
    ['stock reorder set MUG -5 --brand acme', 'stock reorder set --help'],
    ['rankings weights set --brand acme', 'rankings weights set --help'],
    ['stock low', 'stock --help'],
    ['--json stock low', 'stock --help'],
  ] as const)
    expect((await nightshift(line.split(' '))).stderr).toContain(`npx nightshift ${help}`);
});

test.each([
  ['sync run --brand a --since 2026-02-01T00:00:00Z --until 2026-01-01T00:00:00Z', 'before it begins'],
  ['rollup run --brand a --from 2026-02-01 --to 2026-01-01', 'before it begins'],
  ['rollup run --brand a --from 1900-01-01 --to 2100-01-01', 'at most 3660 days'],
  ['rollup run --brand a --from 1900-01-01 --to 2100-01-01 --dry-run', 'at most 3660 days'],
  ['jobs list --finished --state waiting', 'No run has ended as waiting'],
  ['sandbox --port x', 'npx nightshift sandbox --help lists'],
])('%s is refused before anything is opened', async (line, why) => {
  const { code, stdout, stderr } = await nightshift(line.split(' '));
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(why);
});

test('a key with characters that no header can carry is refused and not repeated', async () => {
  const { code, stderr } = await nightshift(['connections', 'key', 'acme'], { input: 'hunter\u001b2\n' });
  expect(code).toBe(2);
  expect(stderr).toContain('characters that no key has');
  expect(stderr).not.toContain('hunter');
});

test('a port that is taken is said to be taken', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dir = await scenarioDir({});
  const ran = await nightshift(['sandbox', '--data', dir.dir, '--port', String(port)]);
  server.close();
  await dir[Symbol.asyncDispose]();
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain('EADDRINUSE');
  expect(ran.stderr).not.toContain('should not happen');
});

test('a database that does not answer ends with 69, says where and what to do', async () => {
  const env = { DATABASE_URL: 'postgres://someone:hunter2hunter2@127.0.0.1:1/nothing' };
  for (const verb of ['status', 'doctor']) {
    const { code, stdout, stderr } = await nightshift([verb], { env });
    expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
    expect(stderr).toContain('127.0.0.1:1/nothing');
    expect(stderr).toMatch(/next: .*DATABASE_URL/);
    expect(stderr).not.toContain('hunter2hunter2');
  }
});

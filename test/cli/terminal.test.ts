/** How it looks on a terminal, tried on real ones where the machine has script(1). */
import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { count, counted } from '#runtime/wording.ts';
import type { Io } from '../../bin/cli/shared/noun.ts';
import { confirmName } from '../../bin/cli/ui/confirm.ts';
import { ago, span } from '../../bin/cli/ui/format.ts';
import { makeOutput } from '../../bin/cli/ui/output.ts';
import { wrapped } from '../../bin/cli/ui/wrap.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { bareEnv } from '../support/program.ts';
import { twoShops } from '../support/rows/factory.ts';

const entry = join(import.meta.dirname, '../../bin/nightshift.ts');
const hasScript = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
const hasShell = process.platform === 'linux';

function terminal(columns: number) {
  const written: string[] = [];
  return { isTTY: true, columns, write: (text: string) => written.push(text) > 0, written };
}

const textOf = ({ written }: { written: string[] }) => stripVTControlCharacters(written.join(''));

test('a message is broken between words, and a command so that it can still be pasted', () => {
  const line = '! shop is held: no. Next: npx nightshift connections check shop --brand acme';
  expect(wrapped(line, 36)).toEqual([
    '! shop is held: no. Next: npx \\',
    '  nightshift connections check \\',
    '  shop --brand acme',
  ]);
  expect(wrapped('  an address: https://example.com/that/is/longer/than/the/line', 24)).toEqual([
    '  an address:',
    '    https://example.com/that/is/longer/than/the/line',
  ]);
  expect(wrapped('short', 24)).toEqual(['short']);
});

const rows = [
  { stream: 'shopify.orders', state: 'ok', cause: null },
  {
    stream: 'shopify.customers',
    state: 'partial',
    cause: 'one two three four five six seven eight nine ten',
  },
];

test.each(['\u0003', '\u0004'])('who leaves a question without an answer changes nothing', async (key) => {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  const io = { stdin, stderr, stdout: new PassThrough() } as unknown as Io;
  const asked = confirmName(io, 'Type acme: ', { name: 'acme', given: undefined });
  stdin.write(key);
  await expect(asked).rejects.toMatchObject({
    code: 'NS_INTERRUPTED',
    message: expect.stringContaining('Nothing was changed'),
  });
});

test.each([100, 60, 30])('a list on a terminal of %i columns fits it, and nothing is left out', (columns) => {
  const stdout = terminal(columns);
  makeOutput(false, stdout, terminal(columns)).list(rows, ['stream', 'state', 'cause']);
  const lines = textOf(stdout).split('\n');
  for (const line of lines) expect(line.trimEnd().length, line).toBeLessThanOrEqual(columns);
  const words = new Set(lines.join(' ').split(/\s+/));
  for (const word of ['shopify.orders', 'shopify.customers', 'partial', 'one', 'ten'])
    expect(words, word).toContain(word);
});

test('a word that is wider than its column is shown whole', () => {
  const stdout = terminal(60);
  const address = `https://example.com/${'a'.repeat(60)}`;
  makeOutput(false, stdout, terminal(60)).list(
    [{ stream: 'shopify.orders', state: 'failing', cause: `503 at ${address}` }],
    ['stream', 'state', 'cause'],
  );
  expect(textOf(stdout)).toContain(address);
});

test('a command can be pasted wherever it stands, and what follows it is prose', () => {
  expect(wrapped('Queued 1 job. Follow: npx nightshift jobs list --finished', 40)).toEqual([
    'Queued 1 job. Follow: npx nightshift \\',
    '  jobs list --finished',
  ]);
  expect(wrapped('Next: npx nightshift sync status --brand acme; then see what is missing', 50)).toEqual([
    'Next: npx nightshift sync status --brand acme;',
    '  then see what is missing',
  ]);
});

test('a line of JSON stays one, however narrow the terminal is', () => {
  const [stdout, stderr] = [terminal(30), terminal(30)];
  const out = makeOutput(true, stdout, stderr);
  out.record({ cause: 'x '.repeat(50) }, () => []);
  out.say(JSON.stringify({ error: 'x '.repeat(50) }));
  expect([stdout.written.length, stderr.written.length]).toEqual([1, 1]);
});

test.skipIf(!hasScript)(
  'on a terminal of 40 columns no line of status, lists or errors is wider',
  async () => {
    await using db = await freshDb();
    await twoShops(db);
    const lines = ['status', 'sync status', 'connections list', 'jobs retry 999', 'sync run --hlep'];
    const commands = lines.map((line) => `${process.execPath} ${entry} ${line}`).join('; ');
    const ran = spawnSync('script', ['-qec', `stty cols 40 rows 24; ${commands}`, '/dev/null'], {
      env: { ...bareEnv, DATABASE_URL: db.url, SHELL: '/bin/sh', TERM: 'xterm' },
      encoding: 'utf8',
      timeout: 200_000,
    });
    const shown = stripVTControlCharacters(ran.stdout).split(/\r?\n/);
    expect(shown.join('\n')).toMatch(/stream +shopify.orders/);
    // What is one word, as an address, stays whole.
    expect(
      shown.map((line) => line.trimEnd()).filter((line) => line.length > 40 && line.trim().includes(' ')),
    ).toEqual([]);
  },
);

test.skipIf(!hasShell)('who closes standard output is told, who throws it away is not', async () => {
  await using db = await freshDb();
  const end = (redirection: string, stdio: 'pipe' | 'ignore' = 'pipe') => {
    const line = `${process.execPath} ${entry} brands list ${redirection}; exit $?`;
    const options = {
      env: { ...bareEnv, DATABASE_URL: db.url },
      encoding: 'utf8',
      stdio: ['ignore', stdio, 'pipe'],
    } satisfies SpawnSyncOptionsWithStringEncoding;
    return spawnSync('/bin/sh', ['-c', line], options);
  };
  const closed = end('>&-');
  expect(closed.status).toBe(1);
  expect(closed.stderr).toContain('standard output is closed');
  expect(end('>/dev/null')).toMatchObject({ status: 0, stderr: '' });
  expect(end('>/dev/full').status).toBe(1);
  await using folder = await mkdtempDisposable(join(tmpdir(), 'script-'));
  const script = join(folder.path, 'nightly.sh');
  await writeFile(script, `#!/bin/sh\n${process.execPath} ${entry} brands list >&-\n`, { mode: 0o755 });
  expect(spawnSync(script, { env: { ...bareEnv, DATABASE_URL: db.url } }).status).toBe(1);
  expect(end('', 'ignore')).toMatchObject({ status: 0, stderr: '' });
});

test('one is one, and what is ahead of the clock is not long ago', () => {
  expect([count(1, 'record'), count(2, 'record'), counted(1, 'orders'), counted(1_000, 'orders')]).toEqual([
    ...['1 record', '2 records', '1 order', '1,000 orders'],
  ]);
  expect([span(-1_634_505_100), ago(-1_634_505), ago(90)]).toEqual(['0.0 s', 'just now', '1 min 30 s ago']);
});

test('a sync says of each record what became of it, and a held connection by its name', async () => {
  await using db = await freshDb();
  const { aShopToSync } = await import('../support/providers/cli_shop.ts');
  await using shop = await aShopToSync(db, { secret: 'shpat_wrong_key' });
  const run = ['sync', 'run', '--brand', 'acme', '--stream', 'shopify.orders', '--wait'];
  const { stdout, stderr } = await nightshift(run, { env: shop.env });
  expect(stdout.split('\n')[0]).toBe(
    'connection\tstream\tstate\tread\tchanged\tunchanged\tstale\tdeleted\trejected\terror',
  );
  expect(stdout + stderr).toContain('refuses the key of connection shop.');
  expect(stderr).toContain('npx nightshift connections key shop --brand acme');
  const said = `${stdout}${stderr}`.split('\n').filter((line) => !line.startsWith('{')); // the log has ids
  expect(said.join('\n')).not.toContain(shop.connection.id);
});

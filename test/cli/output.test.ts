import { expect, test } from 'vitest';
import { bar, barChart } from '../../bin/cli/ui/chart.ts';
import { grouped, span } from '../../bin/cli/ui/format.ts';
import { bold, makeOutput } from '../../bin/cli/ui/output.ts';
import { startProgress } from '../../bin/cli/ui/progress.ts';

function sink(terminal = false) {
  const written: string[] = [];
  return { isTTY: terminal, columns: 40, rows: 4, write: (text: string) => written.push(text) > 0, written };
}

const rows = [
  { slug: 'acme', name: 'Acme\tLtd\nUK', orders: 5, extra: { a: 1 } },
  { slug: 'beta', name: null, orders: 1200, extra: null },
];

test('a list in a pipe is tab-separated, one line a row whatever the values are', () => {
  const stdout = sink();
  makeOutput(false, stdout, sink()).list(rows, ['slug', 'name', 'orders']);
  expect(stdout.written.join('')).toBe('slug\tname\torders\nacme\tAcme Ltd UK\t5\nbeta\t\t1200\n');
});

test('a list as JSON is one object a line, with every field', () => {
  const stdout = sink(true);
  makeOutput(true, stdout, sink()).list(rows, ['slug']);
  expect(stdout.written.map((line) => JSON.parse(line))).toEqual(rows);
});

test('a list on a terminal is a table with numbers to the right', () => {
  const stdout = sink(true);
  makeOutput(false, stdout, sink()).list(rows, ['slug', 'orders']);
  const lines = stdout.written.join('').split('\n');
  expect(lines.map((line) => line.trimEnd())).toEqual(['slug  orders', 'acme       5', 'beta    1200', '']);
});

test('messages never reach stdout', () => {
  const [stdout, stderr] = [sink(), sink()];
  makeOutput(true, stdout, stderr).say('working');
  expect([stdout.written, stderr.written]).toEqual([[], ['working\n']]);
});

const HOSTILE = 'a\u001b[2J\u001b]0;owned\u0007\u009b31m\r\u202egnp\u001b[8mhidden';

test('a name or an answer of others cannot act on a terminal, in whatever it is shown', () => {
  const [stdout, stderr] = [sink(true), sink(true)];
  const out = makeOutput(false, stdout, stderr);
  out.list([{ slug: HOSTILE, extra: { deep: HOSTILE } }], ['slug', 'extra']);
  makeOutput(false, sink(), stderr).list([{ slug: HOSTILE }], ['slug']);
  out.record({}, () => [`${bold('ours')} ${HOSTILE}`]);
  out.say(HOSTILE);
  {
    using progress = startProgress(stderr);
    progress.show([HOSTILE]);
    progress.note(HOSTILE);
  }
  const own = /\p{Cc}\[(?:(?:1|22)m|\d[AJ])/gu; // bold, and what progress draws itself over with
  const shown = [...stdout.written, ...stderr.written].join('').replaceAll(own, '');
  expect(shown).toContain('a]0;owned');
  expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
});

test('JSON keeps what it holds, and escapes all that would act on a terminal', () => {
  const stdout = sink(true);
  const out = makeOutput(true, stdout, sink());
  out.list([{ slug: HOSTILE }], ['slug']);
  out.record({ slug: HOSTILE }, () => []);
  expect(stdout.written.map((line) => JSON.parse(line))).toEqual([{ slug: HOSTILE }, { slug: HOSTILE }]);
  expect(stdout.written.join('').replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
});

test('progress on a terminal is drawn over itself and leaves nothing behind', () => {
  const stderr = sink(true);
  {
    using progress = startProgress(stderr);
    progress.show(['a', 'x'.repeat(60), 'too low']);
    progress.show(['b']);
  }
  expect(stderr.written).toEqual([
    `a\n${'x'.repeat(39)}\n`, // what wraps or scrolls away could not be erased
    '\u001b[2A\u001b[0Jb\n',
    '\u001b[1A\u001b[0J',
  ]);
});

test('progress in a pipe is quiet for what ends soon and holds no control characters', () => {
  const stderr = sink();
  {
    using progress = startProgress(stderr);
    progress.show(['a']);
    progress.note('kept');
  }
  expect(stderr.written).toEqual(['kept\n']);
});

test('amounts are grouped as text, so that no digit is lost', () => {
  expect(['0', '999', '1000', '-1234567.0010', '12345678901234567890.123'].map(grouped)).toEqual([
    ...['0', '999', '1,000', '-1,234,567.0010', '12,345,678,901,234,567,890.123'],
  ]);
});

test('bars are proportional in eighths of a cell, and what is not zero can be seen', () => {
  expect([bar(8, 8, 4), bar(3, 8, 4), bar(0.001, 8, 4), bar(0, 8, 4), bar(1, 0, 4)]).toEqual([
    ...['████', '█▌', '▏', '', ''],
  ]);
  expect(
    barChart(
      [
        { label: 'uk', value: 2, text: '20' },
        { label: 'eire', value: 1, text: '1' },
      ],
      2,
    ),
  ).toEqual(['uk    20  ██', 'eire   1  █']);
});

test('spans of time read well at every size', () => {
  expect([820, 42_000, 200_000, 7_500_000, 273_600_000].map(span)).toEqual([
    ...['0.8 s', '42 s', '3 min 20 s', '2 h 5 min', '3 d 4 h'],
  ]);
});

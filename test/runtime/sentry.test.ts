import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { runProgram } from '../support/program.ts';
import { sentryServer } from '../support/sentry.ts';

test('an error is reported with code, verdict, tags and context, and without any secret', async () => {
  await using sentry = await sentryServer();
  await using program = runProgram('report.ts', [sentry.dsn, 'known']);
  expect(await program.ended()).toBe(0); // and nothing was lost at the end: the scope's end sends it

  const [report] = sentry.received;
  expect(report?.path).toMatch(/^\/api\/42\/envelope\//);
  expect(report?.event.tags).toMatchObject({
    process: 'worker',
    code: 'NS_CREDENTIALS_REJECTED',
    verdict: 'hold',
    task: 'sync_stream',
  });
  expect(report?.event.extra).toMatchObject({
    connectionId: 'c-1',
    hint: 'Store a new key.',
    token: '[secret]',
  });
  const causeFirst = report?.event.exception.values.map(({ type, value }) => `${type}: ${value}`);
  expect(causeFirst).toEqual([
    'Error: 401 for [secret]',
    'KeyRefused: The key [secret] was refused by postgres://u:[secret]@db.',
  ]);
  expect(report?.raw).not.toMatch(/shpat_|sk_live_|hunter2|plain-token/);
  expect(report?.raw).not.toContain(hostname());
});

test.each([
  ['thrown', 'uncaught'],
  ['a rejection', 'unhandled'],
])(
  'what nobody caught is reported too, %s, and said without secrets, and ends the process',
  async (_, way) => {
    await using sentry = await sentryServer();
    await using program = runProgram('report.ts', [sentry.dsn, way]);
    expect(await program.ended()).toBe(1);
    expect(sentry.received.map(({ event }) => event.exception.values[0]?.value)).toEqual([
      'nobody caught this [secret]',
    ]);
    expect(await program.complaints).toMatch(/nobody caught this \[secret\]\n\s+at /);
    expect(await program.complaints).not.toContain('sk_live_');
  },
);

test('without a DSN nothing is sent, whatever Sentry itself would read from the environment', async () => {
  await using sentry = await sentryServer();
  await using program = runProgram('report.ts', ['', 'known'], { env: { SENTRY_DSN: sentry.dsn } });
  expect(await program.ended()).toBe(0);
  expect(sentry.received).toEqual([]);
});

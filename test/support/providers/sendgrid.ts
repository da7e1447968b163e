/** An account of SendGrid in the sandbox. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startSandbox } from '../../../sandbox/server.ts';

export const ACCOUNT = 'acme';
export const KEY = 'SG.sandbox_acme.key';
export const NOW = '2026-11-20T15:00:00Z';

/** By file, such as `events` or `other/events` for another account. */
export type Files = Record<string, readonly object[]>;
export type Scenario = { now?: string; accounts?: Record<string, object> };

const secondsOf = (at: string) => Date.parse(at) / 1000;

/** An event of a letter, as the webhook would bring it. */
export function anEvent(
  event: string,
  at: string,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  const message = String(more.sg_message_id ?? 'm1.filter.1.0');
  return {
    ...{ email: 'reader@example.com', timestamp: secondsOf(at), event, category: ['autumn'] },
    ...{ sg_event_id: `${message} ${event} ${at}`, sg_message_id: message },
    ...more,
  };
}

/** Counts of a day, as the statistics would show them. */
export function aCount(date: string, metrics: Record<string, number>, more: object = {}): object {
  return { date, ...metrics, ...more };
}

export async function sendgridDir(files: Files, { now = NOW, accounts = {} }: Scenario = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-sendgrid-'));
  const sendgrid = { [ACCOUNT]: { zone: 'America/New_York' }, ...accounts };
  await writeFile(join(dir, 'scenario.json'), JSON.stringify({ now, sendgrid }));
  for (const [file, rows] of Object.entries(files)) {
    const path = join(dir, 'sendgrid', file.includes('/') ? file : join(ACCOUNT, file));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.ndjson`, rows.map((row) => JSON.stringify(row)).join('\n'));
  }
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

export async function sendgridSandbox(files: Files = {}, scenario: Scenario = {}) {
  const data = await sendgridDir(files, scenario);
  const sandbox = await startSandbox({ data: data.dir });
  return {
    ...sandbox,
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      await data[Symbol.asyncDispose]();
    },
  };
}

/** Runs the sandbox as a process of its own, so that the demo's times do not include its work. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { SandboxFailed } from '../ui/errors.ts';

const PROGRAM = fileURLToPath(new URL('../../../sandbox/main.ts', import.meta.url));
const STOP_MS_MAX = 5_000;

const firstLine = z.object({ url: z.url(), now: z.iso.datetime().nullable() });
const tables = z.array(z.object({ account: z.string(), baseUrls: z.array(z.string()) }));
const status = z.object({
  shops: z.array(z.object({ name: z.string(), domain: z.string(), baseUrl: z.string() })),
  stripe: z.array(z.object({ account: z.string(), baseUrl: z.string() })),
  sendgrid: tables,
  ayrshare: tables,
});

/** The accounts that it serves. */
export type SandboxPlaces = z.output<typeof status>;

export type SandboxProcess = AsyncDisposable & {
  url: string;
  /** The instant as of which it answers. */
  now: string | undefined;
  places: SandboxPlaces;
};

/** Leaving the scope ends it. If this process is killed, the sandbox sees its channel close and ends too. */
export async function startSandboxProcess(): Promise<SandboxProcess> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const stop = () => end(child);
  try {
    const { url, now } = firstLine.parse(JSON.parse(await lineOf(child)));
    const answer = await fetch(`${url}/_sandbox/status`);
    const places = status.parse(await answer.json());
    return { url, now: now ?? undefined, places, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function lineOf(child: ChildProcess): Promise<string> {
  const lines = child.stdout ? createInterface({ input: child.stdout }) : child;
  const ended = once(child, 'close').then(([code]) => {
    throw new SandboxFailed(code);
  });
  const [line] = await Promise.race([once(lines, 'line'), ended]);
  return String(line);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await closed;
  clearTimeout(timer);
}

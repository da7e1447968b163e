/** The processes of an installation, as the Procfile starts them: what they log is kept apart by level. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import manifest from '../../package.json' with { type: 'json' };
import { rssBytesOf } from './processor.ts';

const SCRIPTS = ['worker', 'scheduler'] as const;
const STOP_MS_MAX = 60_000;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SANDBOX = fileURLToPath(new URL('../../sandbox/main.ts', import.meta.url));

export type Processes = AsyncDisposable & {
  /** Lines of the level warn and above, and those that are no log at all. */
  warnings: string[];
  /** Megabytes of each. */
  rss(): Promise<Record<string, number>>;
  assertAlive(): void;
};

export async function startProcesses(env: NodeJS.ProcessEnv): Promise<Processes> {
  await using starting = new AsyncDisposableStack();
  const warnings: string[] = [];
  const children = new Map<string, ChildProcess>();
  for (const name of SCRIPTS) {
    const [program = '', ...args] = manifest.scripts[name].replace('exec node', process.execPath).split(' ');
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'pipe'] });
    starting.defer(() => end(child));
    children.set(name, child);
    await ready(child, (line) => {
      if (isWarning(line)) warnings.push(line);
    });
  }
  const started = starting.move();
  return {
    warnings,
    async rss() {
      const sizes: Record<string, number> = {};
      for (const [name, { pid }] of children) sizes[name] = (await rssBytesOf(pid)) / 1e6;
      return sizes;
    },
    assertAlive() {
      for (const [name, { exitCode, signalCode }] of children)
        if (exitCode !== null || signalCode !== null) throw new Error(`The ${name} ended.`);
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

async function ready(child: ChildProcess, hear: (line: string) => void): Promise<void> {
  if (child.stderr === null) throw new Error('A process cannot be heard.');
  const lines = createInterface({ input: child.stderr });
  const first = once(lines, 'line');
  lines.on('line', hear);
  await first;
}

function isWarning(line: string): boolean {
  try {
    const { level } = JSON.parse(line) as { level?: string };
    return !['trace', 'debug', 'info'].includes(level ?? '');
  } catch {
    return true;
  }
}

/** Of a scenario directory; it ends when its channel closes. */
export async function startSandboxOf(dir: string): Promise<AsyncDisposable & { url: string }> {
  const child = spawn(process.execPath, [SANDBOX, '--data', dir], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  if (child.stdout === null) throw new Error('The sandbox cannot say where it is.');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { url } = JSON.parse(String(line)) as { url: string };
  return { url, [Symbol.asyncDispose]: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await exit;
  clearTimeout(timer);
}

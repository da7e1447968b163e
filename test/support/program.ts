import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

/** So that no test takes the port of another. */
export const freePorts = { NIGHTSHIFT_WEB_PORT: '0', NIGHTSHIFT_METRICS_PORT: '0' };

/** What every program needs of our environment: the rest of it, such as a database, a test gives or leaves out. */
export const bareEnv = {
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '',
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
  ...freePorts,
};

export type Program = AsyncDisposable & {
  child: ChildProcess;
  /** All that it said on standard error, once it has ended. */
  complaints: Promise<string>;
  /** The next line of its standard output. */
  line(): Promise<string>;
  /** How it ended: an exit code, or the signal that killed it. */
  ended(): Promise<number | NodeJS.Signals>;
};

export type ProgramOptions = {
  env?: NodeJS.ProcessEnv;
  /** What starts it, such as `ip netns exec`. */
  launcher?: readonly string[];
  nodeFlags?: readonly string[];
};

/** A program of test/support/programs in a process of its own; killed at scope end. */
export function runProgram(
  name: string,
  args: readonly string[] = [],
  { env = {}, launcher = [], nodeFlags = [] }: ProgramOptions = {},
): Program {
  const file = join(import.meta.dirname, 'programs', name);
  const [command = '', ...rest] = [...launcher, process.execPath, ...nodeFlags, file, ...args];
  const child = spawn(command, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit');
  const complaints = text(child.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = async () => {
    const [code, signal] = await exit;
    return code ?? signal;
  };
  return {
    child,
    complaints,
    ended,
    line: async () => (await lines.next()).value ?? '',
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended();
    },
  };
}

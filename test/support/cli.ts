/**
 * Runs the command line and judges it by what it prints and its exit code. Where its end as a process does not
 * matter it runs in the process of the test, which saves the start of one; `aProcess` says that it does.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { ProviderSet } from '#connectors/providers.ts';
import { run } from '../../bin/cli/program.ts';
import { bareEnv } from './program.ts';

export type Ran = { code: number | null; stdout: string; stderr: string; json(): unknown[] };

export type CliOptions = {
  env?: Record<string, string>;
  /** Of a command in the process of the test. */
  providers?: ProviderSet;
  /** What comes in on standard input; nothing when left out. */
  input?: string;
  /** Runs it as a person does: with streams, signals and an end of its own. */
  aProcess?: boolean;
  /** Of a process: called with all that stderr has said, each time it says more. `hangUp` stops reading it. */
  onStderr?: (soFar: string, kill: (signal: NodeJS.Signals) => void, hangUp: () => void) => void;
};

const root = join(import.meta.dirname, '../..');
const entry = join(root, 'bin/nightshift.ts');

export function nightshift(args: readonly string[], options: CliOptions = {}): Promise<Ran> {
  const env = { ...bareEnv, ...options.env };
  return options.aProcess || options.onStderr ? spawned(args, env, options) : called(args, env, options);
}

async function called(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { input = '', providers }: CliOptions,
): Promise<Ran> {
  const [stdout, stderr] = [collector(), collector()];
  const io = {
    ...{ stdin: Readable.from([Buffer.from(input)]), stdout, stderr, log: stderr },
    ...(providers && { providers }),
  };
  const code = await run(args, env, io);
  return ran(code, stdout.said(), stderr.said());
}

function collector() {
  const pieces: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(piece, _, done) {
      pieces.push(String(piece));
      done();
    },
  });
  return Object.assign(stream, { said: () => pieces.join('') });
}

function spawned(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { input = '', onStderr }: CliOptions,
): Promise<Ran> {
  const child = spawn(process.execPath, [entry, ...args], { cwd: root, env });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    onStderr?.(
      stderr,
      (signal) => child.kill(signal),
      () => child.stderr.destroy(),
    );
  });
  child.stdin.on('error', () => {}); // a command that reads nothing may be gone already
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(ran(code, stdout, stderr)));
  });
}

function ran(code: number | null, stdout: string, stderr: string): Ran {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { code, stdout, stderr, json: () => lines.map((line): unknown => JSON.parse(line)) };
}

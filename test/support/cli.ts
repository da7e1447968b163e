/** Runs the command line as a person does: a process of its own, judged by what it prints and its exit code. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export type Ran = { code: number | null; stdout: string; stderr: string; json(): unknown[] };

export type CliOptions = {
  env?: Record<string, string>;
  /** What comes in on standard input; nothing when left out. */
  input?: string;
  /** Called with everything that stderr has said so far, each time it says more. `hangUp` stops reading it. */
  onStderr?: (soFar: string, kill: (signal: NodeJS.Signals) => void, hangUp: () => void) => void;
};

const root = join(import.meta.dirname, '../..');
const entry = join(root, 'bin/nightshift.ts');

export function nightshift(args: readonly string[], options: CliOptions = {}): Promise<Ran> {
  const { env = {}, input = '', onStderr } = options;
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [entry, ...args], { cwd: root, env: { PATH, HOME, ...env } });
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
  const json = () =>
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr, json }));
  });
}

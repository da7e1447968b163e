/**
 * Where keys of providers come from: a named environment variable, or standard input. Never an
 * argument: those are seen by every user of the machine and kept in the shell's history.
 */
import type { Cli, Input, Io } from '../shared/noun.ts';
import { UsageError } from './errors.ts';

/** The longest keys of providers have a few hundred characters. */
const LENGTH_MAX = 4096;
const HINT = 'name a variable with --key-env SHOP_KEY, or pipe the key in: pass show shop | npx nightshift …';

export type KeySource = { keyEnv?: string };

export async function readKey({ keyEnv }: KeySource, { env, io }: Pick<Cli, 'env' | 'io'>): Promise<string> {
  const key = (keyEnv === undefined ? await fromStdin(io) : fromVariable(keyEnv, env)).trim();
  if (key === '') throw new UsageError('The key is empty.', HINT);
  if (key.length > LENGTH_MAX) throw tooLong();
  if (/[\r\n]/.test(key)) throw new UsageError('The key has more than one line.', HINT);
  if (/[^\x20-\x7e]/.test(key)) throw new UsageError('The key has characters that no key has.', HINT);
  return key;
}

function tooLong(): UsageError {
  return new UsageError(`The key is longer than ${LENGTH_MAX} characters.`, HINT);
}

function fromVariable(name: string, env: NodeJS.ProcessEnv): string {
  const key = env[name];
  // An invalid variable name may be the key itself, so it is not repeated.
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new UsageError('--key-env takes the NAME of an environment variable, not the key.', HINT);
  }
  if (key === undefined) throw new UsageError(`The environment variable ${name} is not set.`, HINT);
  return key;
}

function fromStdin(io: Io): Promise<string> {
  return io.stdin.isTTY ? typed(io) : piped(io.stdin);
}

async function piped(stdin: Input): Promise<string> {
  let text = '';
  for await (const chunk of stdin.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LENGTH_MAX) throw tooLong();
  }
  return text;
}

/** Raw mode, so that the terminal does not show what is typed. */
async function typed({ stdin, stderr }: Io): Promise<string> {
  stderr.write('Key (it is not shown): ');
  stdin.setRawMode?.(true);
  stdin.setEncoding('utf8');
  try {
    let text = '';
    for await (const chunk of stdin) {
      for (const character of String(chunk)) {
        if (character === '\r' || character === '\n' || character === '\u0004') return text;
        if (character === '\u0003') throw new UsageError('Stopped; no key was stored.', HINT);
        text = character === '\u007f' ? text.slice(0, -1) : text + character;
      }
    }
    return text;
  } finally {
    stdin.setRawMode?.(false);
    stdin.pause();
    stderr.write('\n');
  }
}

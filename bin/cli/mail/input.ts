/** What letters are filled with: recipients and variables, from options, files and standard input. */
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import type { Variables } from '#sql/mail/letters.ts';
import { RECIPIENTS_MAX } from '#tasks/mail/queue.ts';
import { checkedAddress, VARIABLES_BYTES_MAX } from '#tasks/mail/templates.ts';
import type { Cli } from '../shared/noun.ts';
import { readFileOf } from '../shared/read_file.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';

const FILE_BYTES_MAX = 1024 * 1024;

export type ToOptions = { to?: string[]; toFile?: string };
export type VarOptions = { var?: string[]; vars?: string };

const collect = (value: string, before: string[] = []) => [...before, value];

export function toOptions(verb: Command): Command {
  return verb
    .option('--to <address>', 'a recipient; may be repeated', collect)
    .option(
      '--to-file <file>',
      `file with a recipient on each line, at most ${RECIPIENTS_MAX}; - is standard input`,
    );
}

export function varOptions(verb: Command): Command {
  return verb
    .option('--var <name=value>', 'a variable of the template; may be repeated', collect)
    .option('--vars <file>', 'file with the variables as a JSON object; - is standard input');
}

/** In the order given, at least one. */
export async function readRecipients({ to = [], toFile }: ToOptions, { io }: Cli): Promise<string[]> {
  const lines = toFile === undefined ? [] : (await readText(toFile, io.stdin, FILE_BYTES_MAX)).split(/\r?\n/);
  const listed = lines.flatMap((line, at) =>
    line.trim() === ''
      ? []
      : [checkedAddress(line, `Line ${at + 1} of ${toFile === '-' ? 'standard input' : toFile}`)],
  );
  const addresses = [...to.map((one) => checkedAddress(one)), ...listed];
  if (addresses.length === 0)
    throw new UsageError('To whom?', '--to ADDRESS, or --to-file FILE with an address on each line');
  if (addresses.length > RECIPIENTS_MAX)
    throw new UsageError(
      `${count(addresses.length, 'recipient')} are too many for one command.`,
      `give at most ${RECIPIENTS_MAX} at a time; with --campaign nobody gets it twice`,
    );
  return addresses;
}

/** Those of the file, and over them the single ones. */
export async function readVariables({ var: given = [], vars }: VarOptions, { io }: Cli): Promise<Variables> {
  const whole = vars === undefined ? {} : objectIn(await readText(vars, io.stdin, VARIABLES_BYTES_MAX), vars);
  const single = given.map((text) => {
    const [, name, value] = /^([A-Za-z_]\w{0,63})=(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined)
      throw new UsageError('--var takes NAME=VALUE.', '--var name=Ann');
    return [name, value] as const;
  });
  return { ...whole, ...Object.fromEntries(single) };
}

function objectIn(text: string, file: string): Variables {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Variables;
  } catch {
    // said below; the message of JSON.parse would repeat what the file says
  }
  throw new UsageError(`${nameOf(file)} is no JSON object.`, 'such as {"name": "Ann"}');
}

const nameOf = (file: string) => (file === '-' ? 'Standard input' : file);

async function readText(file: string, stdin: Readable, bytesMax: number): Promise<string> {
  const { bytes } = await readFileOf(file, stdin, { kind: 'a text file', bytesMax });
  return bytes.toString('utf8');
}

/** Asks before something is changed that people rely on. */
import { createInterface } from 'node:readline/promises';
import type { Io } from '../shared/noun.ts';
import { UsageError } from './errors.ts';
import { printable } from './printable.ts';

/** For what cannot be undone: returns when the person types its name, or gave it with --yes. */
export async function confirmName(
  io: Io,
  question: string,
  { name, given }: { name: string; given: string | undefined },
): Promise<void> {
  if (given === undefined && !io.stdin.isTTY)
    throw new UsageError('Nobody can be asked here.', `add --yes ${name} when you mean it`);
  if ((given ?? (await answerTo(io, question))) === name) return;
  throw new UsageError(`That is not ${name}. Nothing was changed.`, `type ${name}, or add --yes ${name}`);
}

/** Returns when the person agrees or `yes` was given; without a terminal there is nobody to ask. */
export async function confirm(io: Io, question: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (!io.stdin.isTTY) {
    throw new UsageError(`${question} Nobody can be asked here.`, 'add --yes when you mean it');
  }
  const answer = await answerTo(io, `${question} [y/N] `);
  if (!/^y(es)?$/i.test(answer)) throw new UsageError('Nothing was changed.', 'answer y to go on');
}

async function answerTo({ stdin, stderr }: Io, question: string): Promise<string> {
  const reader = createInterface({ input: stdin, output: stderr as NodeJS.WriteStream });
  try {
    return (await reader.question(printable(question)).catch(() => '')).trim(); // Ctrl-C, Ctrl-D
  } finally {
    reader.close();
  }
}

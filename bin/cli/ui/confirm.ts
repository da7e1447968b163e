/** Asks for confirmation before a change that people may regret. */
import { createInterface } from 'node:readline/promises';
import type { Io } from '../shared/noun.ts';
import { Interrupted, UsageError } from './errors.ts';
import { printable } from './printable.ts';

/** For an irreversible change: returns once the person has typed the name, or has given it with --yes. */
export async function confirmName(
  io: Io,
  question: string,
  { name, given }: { name: string; given: string | undefined },
): Promise<void> {
  if (given === undefined && !io.stdin.isTTY)
    throw new UsageError('There is no terminal to confirm on.', `add --yes ${name} to confirm`);
  if ((given ?? (await answerTo(io, question))) === name) return;
  throw new UsageError(`That is not ${name}. Nothing was changed.`, `type ${name}, or add --yes ${name}`);
}

/** Returns once the person agrees or if `yes` was given; without a terminal it refuses. */
export async function confirm(io: Io, question: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (!io.stdin.isTTY) {
    throw new UsageError(`${question} There is no terminal to confirm on.`, 'add --yes to confirm');
  }
  const answer = await answerTo(io, `${question} [y/N] `);
  if (!/^y(es)?$/i.test(answer)) throw new UsageError('Nothing was changed.', 'answer y to go on');
}

async function answerTo({ stdin, stderr }: Io, question: string): Promise<string> {
  const reader = createInterface({ input: stdin, output: stderr as NodeJS.WriteStream });
  try {
    return (await reader.question(printable(question))).trim();
  } catch {
    stderr.write('\n'); // the cursor stands behind the question
    throw new Interrupted(
      'Ctrl-C or Ctrl-D',
      'Nothing was changed.',
      'run it again, and answer the question',
    );
  } finally {
    reader.close();
  }
}

/** Asks before something is changed that people rely on. */
import { createInterface } from 'node:readline/promises';
import { UsageError } from './errors.ts';
import { printable } from './printable.ts';

/** Returns when the person agrees or `yes` was given; without a terminal there is nobody to ask. */
export async function confirm(question: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new UsageError(`${question} Nobody can be asked here.`, 'add --yes when you mean it');
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await reader.question(`${printable(question)} [y/N] `).catch(() => 'n'); // Ctrl-C, Ctrl-D
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('Nothing was changed.', 'answer y to go on');
  } finally {
    reader.close();
  }
}

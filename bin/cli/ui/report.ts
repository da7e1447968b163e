/** Formats an error for a person: what happened, then what to type next. */
import type { CommanderError } from 'commander';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import { scrub, scrubJson } from '#runtime/scrub.ts';
import { UsageError } from './errors.ts';

/** The lines for stderr; one line of JSON with --json. */
export function reportLines(error: unknown, json: boolean): string[] {
  const known = error instanceof NightshiftError ? error : undefined;
  const message = messageOf(error);
  if (json) {
    const { code, hint, context } = known ?? { code: 'unexpected', hint: undefined, context: {} };
    return [scrubJson(JSON.stringify({ error: { code, message, hint, context } }))];
  }
  const next = known ? [`  next: ${known.hint}`] : stackOf(error);
  return [`nightshift: ${message}`, ...next].map((line) => scrub(line));
}

/** An unexpected error is a bug, which can only be reported with its stack. */
function stackOf(error: unknown): string[] {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n    at ').slice(1, 6) : [];
  return [
    '  This should not happen; please report it with these lines:',
    ...frames.map((at) => `    at ${at}`),
  ];
}

/** Turns an error of commander into one of ours, with the help of the command that `verbs` name: its "Did you mean" becomes the hint. */
export function usageError(
  error: CommanderError,
  argv: readonly string[],
  verbs: readonly string[],
): UsageError {
  const [what = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const message = `${withoutValues(what).replace(/\.$/, '')}.`;
  const help = `npx nightshift ${[...verbs, '--help'].join(' ')} lists what there is`;
  const meant = suggestion?.match(/\((?:Did you mean )(.+)\?\)/)?.[1] ?? mistyped(error, argv);
  return new UsageError(message, meant === undefined ? help : `Did you mean ${meant}? Else ${help}`);
}

/** A required option that was mistyped: commander only reports it as missing. */
function mistyped({ code, message }: CommanderError, argv: readonly string[]): string | undefined {
  const missing =
    code === 'commander.missingMandatoryOptionValue' ? message.match(/'(--[a-z-]+)/)?.[1] : undefined;
  return argv.some((word) => missing !== undefined && isAlike(word.replace(/=.*/s, ''), missing))
    ? missing
    : undefined;
}

const TYPOS_MAX = 2;

function isAlike(word: string, option: string): boolean {
  if (!word.startsWith('--') || word === '--') return false;
  return option.startsWith(word) || word.startsWith(option) || editDistance(word, option) <= TYPOS_MAX;
}

/** The edit distance of two words. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (const [place, wanted] of [...other].entries()) {
      const [above = 0, diagonal = 0, left = 0] = [row[place + 1], row[place], next[place]];
      next.push(Math.min(above + 1, left + 1, diagonal + (letter === wanted ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** Values are not repeated, because a typed one may be a key in the wrong place. */
function withoutValues(message: string): string {
  return message.replace(/(unknown option '[^'=]*)=[^']*'/, "$1=…'").replace(/(but got \d+): .*$/, '$1');
}

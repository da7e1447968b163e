/**
 * Puts the command line together. Nouns load when they are used, so that `--help` and the first line
 * of `demo` do not wait for the queue, the drivers and the schema of every provider.
 */
import { Command, CommanderError } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import packageJson from '../../package.json' with { type: 'json' };
import type { Cli, Io, Noun } from './shared/noun.ts';
import { databaseRefusal, firstCause } from './ui/errors.ts';
import { exitCodeOf } from './ui/exit_codes.ts';
import { makeOutput } from './ui/output.ts';
import { reportLines, usageError } from './ui/report.ts';

type Entry = { summary: string; load: () => Promise<{ noun: Noun }> };

export const nouns: Record<string, Entry> = {
  demo: {
    summary: 'turn a year of real orders and payments into exact daily figures',
    load: () => import('./demo/index.ts'),
  },
  up: { summary: 'run everything in one process', load: () => import('./up/index.ts') },
  status: { summary: 'show on one screen whether all is well', load: () => import('./status/index.ts') },
  doctor: {
    summary: 'what is unfit, and the command that mends it',
    load: () => import('./doctor/index.ts'),
  },
  migrate: { summary: 'bring the database schema to this version', load: () => import('./migrate/index.ts') },
  brands: { summary: 'who sells, in which time zone and currency', load: () => import('./brands/index.ts') },
  retailers: {
    summary: 'the retailers that brands sell through',
    load: () => import('./retailers/index.ts'),
  },
  connections: {
    summary: 'accounts at providers and their keys',
    load: () => import('./connections/index.ts'),
  },
  restatements: {
    summary: 'final figures that have changed, and why',
    load: () => import('./restatements/index.ts'),
  },
  campaigns: {
    summary: 'what campaigns cost, and what names them',
    load: () => import('./campaigns/index.ts'),
  },
  stock: {
    summary: 'what can be sold, and what is to be ordered again',
    load: () => import('./stock/index.ts'),
  },
  rankings: {
    summary: 'which retailers do well, and why',
    load: () => import('./rankings/index.ts'),
  },
  events: {
    summary: 'what senders of the brand report: views, carts, experiments, scans, downloads',
    load: () => import('./events/index.ts'),
  },
  sync: { summary: 'bring in data from providers', load: () => import('./sync/index.ts') },
  fx: { summary: 'exchange rates of the ECB', load: () => import('./fx/index.ts') },
  rollup: { summary: 'recompute figures', load: () => import('./rollup/index.ts') },
  forecast: {
    summary: 'what sales are expected, and how far to trust it',
    load: () => import('./forecast/index.ts'),
  },
  jobs: { summary: 'what waits, runs and failed', load: () => import('./jobs/index.ts') },
  failures: {
    summary: 'failures that are alike, and who sees to them',
    load: () => import('./failures/index.ts'),
  },
  why: { summary: 'why a figure is absent or not final', load: () => import('./why/index.ts') },
  explain: {
    summary: 'what a figure is made of, and that it adds up',
    load: () => import('./explain/index.ts'),
  },
  nights: { summary: 'the nightly run of each brand', load: () => import('./nights/index.ts') },
  mail: {
    summary: 'letters that go out once, and the digest of the night',
    load: () => import('./mail/index.ts'),
  },
  schedules: {
    summary: 'what fires by the clock, and what fired',
    load: () => import('./schedules/index.ts'),
  },
  snapshots: {
    summary: 'the data of a brand at one instant, kept in files',
    load: () => import('./snapshots/index.ts'),
  },
  periods: {
    summary: 'months that are closed: their figures stand still',
    load: () => import('./periods/index.ts'),
  },
  privacy: {
    summary: 'export or erase what is stored of a person',
    load: () => import('./privacy/index.ts'),
  },
  audit: { summary: 'who changed what, before and after', load: () => import('./audit/index.ts') },
  sandbox: { summary: 'the providers as a local server', load: () => import('./sandbox/index.ts') },
};

/** Runs one command line and returns its exit code. Every error is reported here, once. */
export async function run(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  io: Io = process,
): Promise<number> {
  const first = argv.find((word) => !word.startsWith('-'));
  const noun = first !== undefined && Object.hasOwn(nouns, first) ? first : undefined;
  const out = makeOutput(argv.includes('--json'), io.stdout, io.stderr);
  const cli: Cli = { out, io, env, exitCode: exitCodes.ok };
  let program: Command | undefined;
  try {
    program = await buildProgram(cli, noun);
    await program.parseAsync([...argv], { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    return explain(databaseRefusal(firstCause(error)), cli, argv, program);
  }
}

async function buildProgram(cli: Cli, noun: string | undefined): Promise<Command> {
  const program = new Command('nightshift')
    .description(packageJson.description)
    .usage('<noun> <verb> [options]')
    .version(packageJson.version)
    .option('--json', 'print data as JSON: one object, or one object per line for lists')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => cli.io.stdout.write(text),
      writeErr: (text) => cli.io.stderr.write(text),
      outputError: () => {}, // reported by explain, with what to type next
    })
    .exitOverride();
  for (const [name, { summary, load }] of Object.entries(nouns)) {
    const command = program.command(name).description(summary);
    if (name === noun) (await load()).noun(command, cli);
  }
  return program;
}

/** The commands that a line names, up to the first word that is none. */
function verbsOf(program: Command | undefined, argv: readonly string[]): string[] {
  const verbs: string[] = [];
  let command = program;
  for (const word of argv.filter((one) => !one.startsWith('-'))) {
    command = command?.commands.find((one) => one.name() === word);
    if (command === undefined) break;
    verbs.push(word);
  }
  return verbs;
}

function explain(error: unknown, cli: Cli, argv: readonly string[], program: Command | undefined): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok; // --help and --version end this way
    if (error.code === 'commander.help') return exitCodes.usage; // a noun without a verb: help was shown
    return explain(usageError(error, argv, verbsOf(program, argv)), cli, argv, program);
  }
  for (const line of reportLines(error, cli.out.json)) cli.out.say(line);
  return exitCodeOf(error);
}

import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { stopSignal } from '#runtime/shutdown.ts';
import { ScenarioError } from '../../../sandbox/scenario_error.ts';
import { type SandboxOptions, startSandbox } from '../../../sandbox/server.ts';
import type { Noun } from '../shared/noun.ts';
import { ScenarioMissing, UsageError } from '../ui/errors.ts';

const PORT_MAX = 65_535;

export const noun: Noun = (command, cli) => {
  command
    .description(
      'serve the providers on one local address, with the built-in orders or a scenario, until Ctrl-C',
    )
    .option('--data <dir>', 'scenario directory (docs/sandbox.md)')
    .option('--port <number>', 'port to listen on (default: a free one)', port)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .action(async (options: SandboxOptions) => {
      const { say } = cli.out;
      // The next step may take a minute.
      await assertThere(options.data);
      await assertFree(options).catch(refuse);
      say('Reading the data …');
      await using sandbox = await startSandbox({ ...options, log: say }).catch(refuse);
      const { url, now = null } = sandbox;
      cli.out.record({ url, now }, () => [url]);
      if (now !== null) say(`It answers as of ${now}: run commands against it with --now ${now}.`);
      say(`Its shops, data and faults: ${url}/_sandbox/status. Ctrl-C stops it.`);
      await stopSignal();
    });
};

const NOWHERE_TO_LISTEN = ['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND'];

function refuse(error: unknown): never {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (NOWHERE_TO_LISTEN.includes(code))
    throw new UsageError(
      `The sandbox cannot listen there: ${message}.`,
      'leave out --host and --port: then it finds a free port',
    );
  if (!(error instanceof ScenarioError)) throw error;
  throw new UsageError(error.message, 'docs/sandbox.md describes what a scenario directory holds');
}

async function assertThere(directory: string | undefined): Promise<void> {
  if (directory === undefined) return;
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) throw new ScenarioMissing(directory);
}

/** Listens there for a moment. If another process takes the port in between, the sandbox itself reports it. */
async function assertFree({ host, port = 0 }: SandboxOptions): Promise<void> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}

function port(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= PORT_MAX) return number;
  throw new InvalidArgumentError(`It must be a number from 0 to ${PORT_MAX}`);
}

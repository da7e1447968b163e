/** `connections webhooks list` and `check`: what the provider delivers, and what of it is not as it should be. */
import type { Command } from 'commander';
import { type Finding, hostOf, isHarmless, isOurs, listed } from '#connectors/kit/subscriptions.ts';
import { exitCodes } from '#runtime/exit_codes.ts';
import { inspect } from '#tasks/webhooks/subscriptions.ts';
import type { Cli } from '../../shared/noun.ts';
import { whichConnection } from '../../shared/options/options.ts';
import { openSession } from '../../shared/session.ts';
import { green, red, yellow } from '../../ui/output.ts';
import { type Options, openSubscriber, URL_OPTION } from './subscriber.ts';

const COLUMNS = ['id', 'ours', 'enabled', 'version', 'to', 'delivers'];

export function addListVerb(command: Command, cli: Cli): void {
  whichConnection(command.command('list'))
    .description('list what the provider delivers, here and elsewhere')
    .action((name: string, options: Options) => list(cli, name, options));
}

export function addCheckVerb(command: Command, cli: Cli): void {
  whichConnection(command.command('check'))
    .description('compare what the provider delivers here with what it should')
    .option(...URL_OPTION)
    .action((name: string, options: Options) => check(cli, name, options));
}

async function list(cli: Cli, name: string, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const { subscriber } = await openSubscriber(cli, session, name, options, false);
  const { situation } = await inspect(subscriber);
  const rows = situation.listing.subscriptions.map((one) => ({
    ...{ id: one.id, ours: isOurs(one, situation.path), enabled: one.isEnabled },
    ...{ version: one.version ?? null, to: hostOf(one.url), topics: one.topics },
    delivers: listed(one.topics),
  }));
  cli.out.list(rows, COLUMNS);
}

async function check(cli: Cli, name: string, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const { subscriber, label } = await openSubscriber(cli, session, name, options);
  const { situation, findings, warnings } = await inspect(subscriber);
  const { listing, url } = situation;
  const isFit = findings.length === 0;
  // Something that is wanted and does not come counts more than something that comes as it should not.
  if (!isFit) cli.exitCode = findings.every(isHarmless) ? exitCodes.partial : exitCodes.failed;
  const connection = subscriber.connection.name;
  const faults = findings.map(describedOf);
  cli.out.record({ connection, url, fit: isFit, faults, notes: listing.notes, warnings }, () => [
    ...findings.map((finding) => (isHarmless(finding) ? yellow : red)(`${finding.fault}: ${finding.says}`)),
    ...(isFit ? [green(`All that ${connection} follows is delivered to ${hostOf(url)}.`)] : []),
    ...[...listing.notes, ...warnings].map((note) => yellow(note)),
  ]);
  if (!isFit) cli.out.say(`Next: npx nightshift connections webhooks add ${label}`);
}

function describedOf({ fault, subscription, wanted, says }: Finding): object {
  return { fault, id: subscription?.id ?? null, topics: (wanted ?? subscription)?.topics ?? [], says };
}

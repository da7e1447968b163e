/** `connections webhooks add` and `remove`: makes the subscriptions at the provider, or takes them away. */
import type { Command } from 'commander';
import { listed } from '#connectors/kit/subscriptions.ts';
import {
  type Inspection,
  inspect,
  type Step,
  type Subscriber,
  stepsOf,
  subscribe,
  unsubscribe,
} from '#tasks/webhooks/subscriptions.ts';
import type { Cli } from '../../shared/noun.ts';
import { whichConnection } from '../../shared/options/options.ts';
import { openSession } from '../../shared/session.ts';
import { confirm } from '../../ui/confirm.ts';
import { count } from '../../ui/format.ts';
import { green, yellow } from '../../ui/output.ts';
import { type Options, openSubscriber, URL_OPTION } from './subscriber.ts';

export function addAddVerb(command: Command, cli: Cli): void {
  whichConnection(command.command('add'))
    .description('tell the provider to deliver here, and mend what it was told before')
    .option(...URL_OPTION)
    .option('--dry-run', 'show what would be changed')
    .action((name: string, options: Options) => add(cli, name, options));
}

export function addRemoveVerb(command: Command, cli: Cli): void {
  whichConnection(command.command('remove'))
    .description('tell the provider to deliver nothing here any more')
    .option('--dry-run', 'show what would be removed')
    .option('--yes', 'do not ask')
    .action((name: string, options: Options & { yes?: boolean }) => remove(cli, name, options));
}

async function add(cli: Cli, name: string, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const { subscriber, label } = await openSubscriber(cli, session, name, options);
  const { dryRun = false } = options;
  const { inspection, steps } = dryRun ? await rehearse(subscriber) : await subscribe(subscriber);
  const { listing, url } = inspection.situation;
  const { notes } = listing;
  const connection = subscriber.connection.name;
  cli.out.record({ connection, url, dry_run: dryRun, steps: steps.map(described), notes }, () => [
    ...steps.map((step) => sentence(step, dryRun)),
    ...(steps.length === 0 ? [green('Everything is as it should be: nothing to change.')] : []),
    ...notes.map((note) => yellow(note)),
  ]);
  const given = options.url === undefined ? '' : ` --url ${options.url}`;
  if (!dryRun) cli.out.say(`Next: npx nightshift connections webhooks check ${label}${given}`);
}

async function rehearse(subscriber: Subscriber): Promise<{ inspection: Inspection; steps: Step[] }> {
  const inspection = await inspect(subscriber);
  return { inspection, steps: stepsOf(inspection, subscriber.webhooks) };
}

async function remove(cli: Cli, name: string, options: Options & { yes?: boolean }): Promise<void> {
  await using session = await openSession(cli);
  const { subscriber } = await openSubscriber(cli, session, name, options, false);
  const { dryRun = false, yes } = options;
  const connection = subscriber.connection.name;
  if (!dryRun) await confirm(cli.io, `Deliver nothing to ${connection} any more?`, yes);
  const gone = await unsubscribe(subscriber, dryRun);
  const removed = gone.map(({ id, topics }) => ({ id, topics }));
  cli.out.record({ connection, dry_run: dryRun, removed }, () => [
    `${count(gone.length, 'subscription')} of ${connection} ${dryRun ? 'would be' : gone.length === 1 ? 'is' : 'are'} removed.`,
  ]);
}

function described({ does, subscription, wanted, because }: Step): object {
  return { does, id: subscription?.id ?? null, topics: (wanted ?? subscription)?.topics ?? [], because };
}

const DONE: Record<Step['does'], [done: string, toDo: string]> = {
  register: ['made', 'would make'],
  change: ['mended', 'would mend'],
  replace: ['made anew', 'would make anew'],
  remove: ['removed', 'would remove'],
  'store secret': ['stored the secret', 'would store the secret'],
};

function sentence({ does, wanted, because }: Step, isDryRun: boolean): string {
  const what = does === 'register' ? listed(wanted?.topics ?? []) : because.join('; ');
  return `${DONE[does][isDryRun ? 1 : 0]}: ${what}`;
}

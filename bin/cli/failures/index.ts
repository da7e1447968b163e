import type { Command } from 'commander';
import type { Tx } from '#sql/db/pool.ts';
import { currentAccount } from '#sql/tenants/audit.ts';
import { acknowledgeFailure, noteFailure, reopenFailure, takeFailure } from '#sql/triage/triage.ts';
import { type ActOptions, actOnMany, actOptions, type Verb } from '../jobs/act.ts';
import { discard, retry } from '../jobs/verbs.ts';
import type { Cli, Noun } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { isoInstant, title, wholeNumber } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { groupArgument } from './group_argument.ts';
import { addList } from './list.ts';
import { addShow } from './show.ts';

export const noun: Noun = (command, cli) => {
  command.description('failures that are alike, as one group: where, how often, who sees to it');
  addList(command, cli);
  addShow(command, cli);
  addTake(command, cli);
  addNote(command, cli);
  addAck(command, cli);
  addReopen(command, cli);
  for (const verb of [retry, discard]) addAct(command, cli, verb);
};

function addTake(command: Command, cli: Cli): void {
  command
    .command('take')
    .description('say who sees to a group')
    .addArgument(groupArgument())
    .option('--owner <name>', 'who (default: you)', title)
    .option('--nobody', 'nobody any more')
    .action(
      async (id: string, { owner = currentAccount(), nobody }: { owner?: string; nobody?: boolean }) => {
        const taken = nobody ? null : owner;
        await say(cli, (tx) => takeFailure(tx, id, taken));
        cli.out.record({ id, owner: taken }, () => [
          taken ? `${taken} sees to ${id}.` : `Nobody sees to ${id}.`,
        ]);
      },
    );
}

function addNote(command: Command, cli: Cli): void {
  command
    .command('note')
    .description('note what is known of a group; the note before is replaced')
    .addArgument(groupArgument())
    .argument('[text]', 'the note', title)
    .option('--none', 'the group has none any more')
    .action(async (id: string, text: string | undefined, { none }: { none?: boolean }) => {
      if ((text === undefined) !== (none === true))
        throw new UsageError('A note, or none?', 'write it behind the number of the group, or add --none');
      await say(cli, (tx) => noteFailure(tx, id, text ?? null));
      cli.out.record({ id, note: text ?? null }, () => [text ? `Noted on ${id}.` : `${id} has no note.`]);
    });
}

const ACKNOWLEDGED_HOURS = 24;

function addAck(command: Command, cli: Cli): void {
  command
    .command('ack')
    .description('acknowledge a group: it is known. It is open again once another connection fails so')
    .addArgument(groupArgument())
    .option('--until <instant>', `or then (default: in ${ACKNOWLEDGED_HOURS} hours)`, isoInstant)
    .option('--more-than <n>', 'or after more than so many further failures', wholeNumber(0, 999_999_999))
    .action(async (id: string, { until, moreThan }: { until?: string; moreThan?: number }) => {
      const ends = until === undefined ? Date.now() + ACKNOWLEDGED_HOURS * 3_600_000 : Date.parse(until);
      const given = { by: currentAccount(), until: new Date(ends), moreThan };
      await say(cli, (tx) => acknowledgeFailure(tx, id, given));
      const also = moreThan === undefined ? '' : `, after more than ${moreThan} further failures`;
      cli.out.record({ id, until: given.until, more_than: moreThan ?? null }, () => [
        `${id} is acknowledged. It is open again at ${given.until.toISOString()}${also}, or once another connection fails so.`,
      ]);
    });
}

function addReopen(command: Command, cli: Cli): void {
  command
    .command('reopen')
    .description('take an acknowledgement back')
    .addArgument(groupArgument())
    .action(async (id: string) => {
      await say(cli, (tx) => reopenFailure(tx, id));
      cli.out.record({ id }, () => [`${id} is open again.`]);
    });
}

async function say(cli: Cli, work: (tx: Tx) => Promise<void>): Promise<void> {
  await using session = await openSession(cli);
  await session.db.transaction(work);
}

/** Of the dead jobs of the group: shown first, then confirmed, as `jobs retry --failure` does. */
function addAct(command: Command, cli: Cli, verb: Verb): void {
  const added = command
    .command(verb.name)
    .description(`${verb.description}: all of a group`)
    .addArgument(groupArgument());
  actOptions(added).action(async (id: string, options: ActOptions) => {
    await actOnMany(cli, verb, { ...options, failure: id });
  });
}

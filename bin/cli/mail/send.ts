/** `mail send` */
import type { Command } from 'commander';
import type { Tx } from '#sql/db/pool.ts';
import { isPseudonym } from '#sql/load/redact/erased.ts';
import {
  knownOf,
  type LetterState,
  type NewLetters,
  recipientsOf,
  suppressionsOf,
} from '#sql/mail/letters.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { assertFits, onceOf, type QueuedLetter, queueLetters } from '#tasks/mail/queue.ts';
import { bodyOfLetter, checkedCampaign, templateNames } from '#tasks/mail/templates.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { attempt } from '../shared/options/rehearse.ts';
import { liveWorkers } from '../shared/queue_state.ts';
import { openSession, type Session } from '../shared/session.ts';
import { finish } from '../shared/work.ts';
import { count } from '../ui/format.ts';
import { findMailing, type Mailing, theBrand } from './find.ts';
import {
  readRecipients,
  readVariables,
  type ToOptions,
  toOptions,
  type VarOptions,
  varOptions,
} from './input.ts';

type Options = ToOptions &
  VarOptions &
  WaitOptions & {
    brand?: string;
    connection?: string;
    template: string;
    language?: string;
    campaign?: string;
    again?: boolean;
    dryRun?: boolean;
  };

export function addSend(command: Command, cli: Cli): void {
  const verb = command
    .command('send')
    .description('queue a letter to each recipient; each is sent once, whatever is interrupted')
    .option('--brand <brand>', 'brand whose letters they are')
    .option(
      '--connection <connection>',
      'connection that sends them (default: the only one that has a sender)',
    )
    .requiredOption('--template <template>', `${templateNames.join(', ')}, or a template of the provider`)
    .option('--language <code>', 'language of the template, such as de')
    .option('--campaign <name>', 'what they belong to: it reaches each recipient once with each template')
    .option('--again', 'also to those whom the campaign has reached with this template')
    .option('--dry-run', 'show what would be sent, and send nothing');
  waitOptions(varOptions(toOptions(verb))).action((options: Options) => send(cli, options));
}

async function send(cli: Cli, options: Options): Promise<void> {
  const { template, language = null, again = false, dryRun } = options;
  const addresses = await readRecipients(options, cli);
  const variables = await readVariables(options, cli);
  assertFits(addresses.length, variables);
  const campaign = options.campaign === undefined ? null : checkedCampaign(options.campaign);
  await using session = await openSession(cli);
  const { slug: brand } = await theBrand(session.db, options.brand);
  const mailing = await findMailing(cli, session.db, { brand, connection: options.connection });
  bodyOfLetter(mailing.mail, { template, language, variables });
  const { sealer } = await keyringOf(cli, session);
  const what = {
    template,
    language,
    campaign,
    variables,
    once: again ? null : onceOf({ campaign, template }),
  };
  const planned = await attempt(session.db, dryRun, (tx) =>
    plan(tx, sealer, { mailing, what, addresses, dryRun: dryRun === true }),
  );
  if (dryRun) return cli.out.list(planned.rows, ['to', 'template', 'language', 'campaign', 'would']);
  await tell(cli, session, { mailing, planned, options });
}

/** `known`: recipients whose letter was sent, or is going to be; `ended`: whose letter came to nothing. */
type Planned = {
  rows: Record<string, unknown>[];
  queued: QueuedLetter[];
  known: number;
  ended: number;
  erased: number;
};

const ENDED: ReadonlySet<LetterState> = new Set(['failed', 'suppressed', 'discarded']);

async function plan(
  tx: Tx,
  sealer: Sealer,
  given: { mailing: Mailing; what: Omit<NewLetters, 'recipients'>; addresses: string[]; dryRun: boolean },
): Promise<Planned> {
  const { what, addresses, dryRun } = given;
  const { connection } = given.mailing;
  const key = { brandId: connection.brandId, connectionId: connection.id };
  const recipients = await recipientsOf(tx, sealer, key.brandId, addresses);
  const hashes = recipients.map(({ hash }) => hash);
  const states = await knownOf(tx, key, what.once, hashes);
  if (dryRun) {
    const suppressed = await suppressionsOf(tx, key, hashes);
    const { template, language, campaign } = what;
    const rows = recipients.map(({ to, hash }) => ({
      ...{ to, template, language, campaign },
      would: states.has(hash)
        ? `be left out: its letter is ${states.get(hash)}`
        : fateOf(suppressed.get(hash)),
    }));
    return { rows, queued: [], known: 0, ended: 0, erased: 0 };
  }
  const details = { template: what.template, language: what.language, campaign: what.campaign };
  await recordAction(tx, {
    action: 'mail.send',
    ...{ brandId: key.brandId, target: connection.name },
    details: { ...details, recipients: recipients.length },
  });
  // Of who is erased not even an address that waits is kept.
  const persons = recipients.filter(({ hash }) => !isPseudonym(hash));
  const queued = await queueLetters(tx, sealer, key, { ...what, recipients: persons });
  const erased = recipients.length - persons.length;
  const ended = [...states.values()].filter((state) => ENDED.has(state)).length;
  return { rows: [], queued, known: persons.length - queued.length - ended, ended, erased };
}

const fateOf = (reason: string | undefined) =>
  reason === undefined ? 'be sent' : `be suppressed: ${reason}`;

async function tell(
  cli: Cli,
  session: Session,
  { mailing, planned, options }: { mailing: Mailing; planned: Planned; options: Options },
): Promise<void> {
  const { queued, known, ended, erased } = planned;
  const { brand, connection } = mailing;
  const { campaign } = options;
  const letters = queued.map(({ mailId, job }) => ({ id: mailId, job_id: job }));
  const record = {
    brand: brand.slug,
    connection: connection.name,
    queued: queued.length,
    known,
    ended,
    erased,
    letters,
  };
  cli.out.record(record, () => [
    `Queued ${count(queued.length, 'letter')}.`,
    ...(known > 0 ? [`${count(known, 'recipient')} had it already; --again sends it all the same.`] : []),
    ...(erased > 0 ? [`${count(erased, 'recipient')} wanted to be erased, and are sent nothing.`] : []),
    ...(ended > 0
      ? [
          `${count(ended, 'letter')} of it failed, or went to nobody: npx nightshift mail list --brand ${brand.slug} --campaign ${campaign}; mail retry --brand ${brand.slug} --campaign ${campaign} --state failed`,
        ]
      : []),
  ]);
  if (queued.length === 0) return;
  const jobs = queued.map(({ mailId, job }) => ({ id: job, label: `letter ${mailId}` }));
  if (options.wait) return void (await finish(cli, session, jobs, { timeout: options.timeout }));
  const isServed = (await liveWorkers(session.db)).length > 0;
  const follow = `npx nightshift mail list --brand ${brand.slug}`;
  cli.out.say(isServed ? `Follow: ${follow}` : 'No worker runs. Start one: npx nightshift up');
}

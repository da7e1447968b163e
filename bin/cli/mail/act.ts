/** `mail retry` and `mail discard`: what an operator decides about a letter. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { endLetter, queueAgain, toldByEvent } from '#sql/mail/attempts.ts';
import { type LetterKey, type LetterState, readLetter } from '#sql/mail/letters.ts';
import { findLetter, LetterNotFound, listLetters } from '#sql/mail/list.ts';
import { resolveUncertain } from '#sql/mail/uncertain.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { queueDeliveries } from '#tasks/alerts/deliver_alert.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { sendEmail } from '#tasks/mail/send_email.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { title } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';
import { theBrand } from './find.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function letterId(text: string): string {
  if (UUID.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError('It must be the id of a letter, as mail list shows it');
}

export class LetterBusy extends coded('NS_MAIL_BUSY') {
  constructor(id: string, state: LetterState, wanted: string) {
    super(`Letter ${id} is ${state}, so it cannot be ${wanted}.`, {
      hint: `npx nightshift mail show ${id} says more`,
      context: { id, state },
    });
  }
}

/** Letters of one command. */
const MANY_MAX = 1_000;

type Options = { brand?: string; reason?: string };
type ManyOptions = Options & { campaign?: string; state?: LetterState };
/** `told`: an event says that it was sent, which settles it. `looked`: it may be on its way, and is looked up. */
type Result = 'done' | 'told' | 'looked';
type Verb = {
  name: 'retry' | 'discard';
  description: string;
  done: string;
  to: LetterState;
  apply(tx: Tx, key: LetterKey, reason: string | undefined): Promise<Result | undefined>;
  /** Behind everything else in the transaction. */
  last?(tx: Tx, key: LetterKey): Promise<unknown>;
};

const RETRY: Verb = {
  name: 'retry',
  description:
    'send a letter that failed or is uncertain, which may then arrive twice; one that is on its way is looked up',
  done: 'queued again',
  to: 'queued',
  async apply(tx, key) {
    const from = ['queued', 'failed', 'uncertain'] as const;
    const event = await toldByEvent(tx, key);
    const sent = {
      from,
      state: 'sent',
      toldBy: 'event',
      messageId: event?.messageId ?? null,
    } as const;
    if (event !== undefined && (await endLetter(tx, key, sent))) return 'told';
    if (await queueAgain(tx, key, { from, anew: true })) return 'done';
    return (await readLetter(tx, key))?.state === 'sending' ? 'looked' : undefined;
  },
  last: (tx, key) => enqueue(tx, sendEmail, key, { keyMode: 'replace' }),
};

const DISCARD: Verb = {
  name: 'discard',
  description: 'give up a letter that waits, failed, or is uncertain: it is not sent any more',
  done: 'discarded',
  to: 'discarded',
  async apply(tx, key, reason = 'an operator gave it up') {
    const from = ['queued', 'failed', 'uncertain'] as const;
    return (await endLetter(tx, key, { from, state: 'discarded', reason })) ? 'done' : undefined;
  },
};

export function addRetry(command: Command, cli: Cli): void {
  addVerb(command, RETRY, '[id]')
    .option('--campaign <name>', `all letters of a campaign, at most ${MANY_MAX}; with --state`)
    .addOption(new Option('--state <state>', 'only those in this state').choices(['failed', 'uncertain']))
    .action((id: string | undefined, options: ManyOptions) =>
      id === undefined ? actOnMany(cli, RETRY, options) : act(cli, RETRY, id, options),
    );
}

export function addDiscard(command: Command, cli: Cli): void {
  addVerb(command, DISCARD, '<id>').action((id: string, options: Options) => act(cli, DISCARD, id, options));
}

function addVerb(command: Command, verb: Verb, argument: string): Command {
  return command
    .command(verb.name)
    .description(verb.description)
    .argument(argument, 'the letter', letterId)
    .option('--brand <brand>', 'brand that it belongs to')
    .option('--reason <text>', 'why, for the records', title);
}

async function act(cli: Cli, verb: Verb, id: string, { brand, reason }: Options): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  const key = await findLetter(db, id, brand === undefined ? undefined : (await findBrand(db, brand)).id);
  const { before, after } = await decide(db, verb, key, reason);
  if (after === undefined) throw new LetterBusy(id, before, verb.done);
  cli.out.record({ id, state: after }, () => [
    after === 'sent'
      ? `Letter ${id} was sent: an event of it has come. It is not sent again.`
      : after === 'sending'
        ? `Letter ${id} may have been sent: it is looked up now, and not sent before that is known.`
        : `Letter ${id} is ${verb.done}.`,
  ]);
}

async function actOnMany(
  cli: Cli,
  verb: Verb,
  { brand: named, campaign, state, reason }: ManyOptions,
): Promise<void> {
  if (campaign === undefined || state === undefined)
    throw new UsageError('Which letters?', 'give the ID of one, or --campaign NAME --state failed');
  await using session = await openSession(cli);
  const { db } = session;
  const { id: brandId, slug: brand } = await theBrand(db, named);
  const letters = await listLetters(db, { brandId, campaign, state, max: MANY_MAX });
  let done = 0;
  for (const { id: mailId, connection_id: connectionId } of letters) {
    const { after } = await decide(db, verb, { brandId, connectionId, mailId }, reason);
    if (after === verb.to) done += 1;
  }
  cli.out.record({ brand, campaign, letters: letters.length, [verb.to]: done }, () => [
    `${count(done, 'letter')} of ${letters.length} ${done === 1 ? 'is' : 'are'} ${verb.done}.`,
    ...(letters.length === MANY_MAX ? ['There may be more: do it again.'] : []),
  ]);
}

/** `after` is undefined if it cannot be done in the state that the letter is in. */
function decide(
  db: Db,
  verb: Verb,
  key: LetterKey,
  reason: string | undefined,
): Promise<{ before: LetterState; after: LetterState | undefined }> {
  return db.transaction(async (tx) => {
    const before = await lockLetter(tx, key);
    const applied = await verb.apply(tx, key, reason);
    if (applied === undefined) return { before, after: undefined };
    const after = applied === 'told' ? 'sent' : applied === 'looked' ? before : verb.to;
    await recordAction(tx, {
      action: `mail.${verb.name}`,
      ...{ brandId: key.brandId, target: key.mailId, details: { reason } },
      ...{ before: { state: before }, after: { state: after } },
    });
    const alert = before === 'uncertain' ? await resolveUncertain(tx, key) : undefined;
    if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: true });
    if (applied !== 'told') await verb.last?.(tx, key);
    return { before, after };
  });
}

async function lockLetter(tx: Tx, key: LetterKey): Promise<LetterState> {
  await tx.query('select from ops.mail where brand_id = $1 and connection_id = $2 and id = $3 for update', [
    ...[key.brandId, key.connectionId, key.mailId],
  ]);
  const letter = await readLetter(tx, key);
  if (letter === undefined) throw new LetterNotFound(key.mailId);
  return letter.state;
}

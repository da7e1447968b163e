/** `mail retry` and `mail discard`: what an operator decides about a letter. */
import { type Command, InvalidArgumentError } from 'commander';
import { coded } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import { endLetter, queueAgain, toldByEvent } from '#sql/mail/attempts.ts';
import { type LetterKey, type LetterState, readLetter } from '#sql/mail/letters.ts';
import { findLetter, LetterNotFound } from '#sql/mail/list.ts';
import { resolveUncertain } from '#sql/mail/uncertain.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { queueDeliveries } from '#tasks/alerts/deliver_alert.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { sendEmail } from '#tasks/mail/send_email.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { title } from '../ui/arguments.ts';

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

type Options = { brand?: string; reason?: string };
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
    if (await queueAgain(tx, key, { from })) return 'done';
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

export const addRetry = (command: Command, cli: Cli) => addVerb(command, cli, RETRY);
export const addDiscard = (command: Command, cli: Cli) => addVerb(command, cli, DISCARD);

function addVerb(command: Command, cli: Cli, verb: Verb): void {
  command
    .command(verb.name)
    .description(verb.description)
    .argument('<id>', 'the letter', letterId)
    .option('--brand <brand>', 'brand that it belongs to')
    .option('--reason <text>', 'why, for the records', title)
    .action((id: string, options: Options) => act(cli, verb, id, options));
}

async function act(cli: Cli, verb: Verb, id: string, { brand, reason }: Options): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  const key = await findLetter(db, id, brand === undefined ? undefined : (await findBrand(db, brand)).id);
  const result = await db.transaction(async (tx) => {
    const before = await lockLetter(tx, key);
    const applied = await verb.apply(tx, key, reason);
    if (applied === undefined) throw new LetterBusy(id, before, verb.done);
    const state = applied === 'told' ? 'sent' : applied === 'looked' ? before : verb.to;
    await recordAction(tx, {
      ...{ action: `mail.${verb.name}`, brandId: key.brandId, target: id, details: { reason } },
      ...{ before: { state: before }, after: { state } },
    });
    const alert = before === 'uncertain' ? await resolveUncertain(tx, key) : undefined;
    if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: true });
    if (applied !== 'told') await verb.last?.(tx, key);
    return state;
  });
  cli.out.record({ id, state: result }, () => [
    result === 'sent'
      ? `Letter ${id} was sent: an event of it has come. It is not sent again.`
      : result === 'sending'
        ? `Letter ${id} may have been sent: it is looked up now, and not sent before that is known.`
        : `Letter ${id} is ${verb.done}.`,
  ]);
}

async function lockLetter(tx: Tx, key: LetterKey): Promise<LetterState> {
  await tx.query('select from ops.mail where brand_id = $1 and connection_id = $2 and id = $3 for update', [
    ...[key.brandId, key.connectionId, key.mailId],
  ]);
  const letter = await readLetter(tx, key);
  if (letter === undefined) throw new LetterNotFound(key.mailId);
  return letter.state;
}

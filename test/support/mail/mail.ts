/** Letters of tests: a sandbox that takes them, a connection that sends them, and jobs that die where a test wants it. */
import type { Mail } from '#connectors/kit/mail.ts';
import { findStream, makeKeyring, providerSet, providers } from '#connectors/providers.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { type NewLetters, recipientsOf } from '#sql/mail/letters.ts';
import { setSender } from '#sql/mail/senders.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { onceOf, queueLetters } from '#tasks/mail/queue.ts';
import { sendEmail } from '#tasks/mail/send_email.ts';
import { storePage } from '#tasks/store_page.ts';
import { eventsOf } from '../../../connectors/sendgrid/events/event.ts';
import type { SentLetter } from '../../../sandbox/sendgrid/sent.ts';
import type { TestDb } from '../db/db.ts';
import {
  anEvent,
  connectSendGrid,
  type Files,
  type Scenario,
  sendgridSandbox,
} from '../providers/sendgrid.ts';
import { testSealer } from '../rows/factory.ts';
import { claimJob, type RunTaskOptions, runClaimed } from '../run.ts';

export type Box = { url: string };

/** It answers as of now, so that its log and the clock of the database agree. */
export function aMailbox(files: Files = {}, scenario: Scenario = {}) {
  return sendgridSandbox(files, { now: new Date().toISOString(), ...scenario });
}

export async function received({ url }: Box): Promise<SentLetter[]> {
  const answer = await fetch(`${url}/_sandbox/mail`);
  return ((await answer.json()) as { letters: SentLetter[] }).letters;
}

type Wanted = Partial<Omit<NewLetters, 'recipients'>> & { to?: readonly string[] };

/** A connection that may send, and what a test does with its letters. */
export async function aSender(db: TestDb, box: Box, wanted: Parameters<typeof connectSendGrid>[2] = {}) {
  const { brandId, connectionId, ...connected } = await connectSendGrid(db, box, wanted);
  return { ...connected, ...(await asSender(db, { brandId, connectionId })) };
}

export async function asSender(db: TestDb, key: ConnectionKey) {
  const { brandId, connectionId } = key;
  const from = { address: 'news@acme.example', name: 'Acme', groupId: null };
  await db.transaction((tx) => setSender(tx, key, from));
  return {
    ...key,
    /** Queues letters; gives their ids. */
    async queue({ to = ['ann@example.com'], ...given }: Wanted = {}): Promise<string[]> {
      const recipients = await recipientsOf(db, testSealer, brandId, to);
      const what = { template: 'notice', language: null, campaign: null, ...given };
      const { variables = { subject: 'Hello', text: 'A letter.' }, once = onceOf(what) } = given;
      const queued = await db.transaction((tx) =>
        queueLetters(tx, testSealer, key, { ...what, recipients, variables, once }),
      );
      return queued.map(({ mailId }) => mailId);
    },
    letters: (columns = 'state') =>
      db.rows(
        `select ${columns} from ops.mail where brand_id = $1 and connection_id = $2 order by queued_at, id`,
        [brandId, connectionId],
      ),
    /** As if the last attempts had begun so many minutes earlier. */
    age: (minutes: number) =>
      db.query(
        `update ops.mail set sending_at = sending_at - make_interval(mins => $3)
         where brand_id = $1 and connection_id = $2`,
        [brandId, connectionId, minutes],
      ),
    hash: async (address: string) => (await personsOf(db, testSealer, brandId))(address) ?? '',
  };
}

/** Claims the job of a letter, though it may wait for its time, and runs it; tells how it ended. */
export async function runLetter(db: TestDb, mailId: string, options: RunTaskOptions = {}) {
  const [id] = await db.column(
    `select id::text from graphile_worker._private_jobs where payload ->> 'mailId' = $1 order by id limit 1`,
    [mailId],
  );
  if (id === undefined) return { outcome: 'no job' as const };
  return runClaimed(sendEmail, await claimJob(db, String(id)), db, options);
}

/** An event of a letter, as the webhook brings it. */
export async function push(
  db: TestDb,
  sender: { brandId: string; connectionId: string },
  id: string,
  event = 'delivered',
) {
  const personOf = await personsOf(db, testSealer, sender.brandId);
  const given = anEvent(event, new Date().toISOString(), { ns_mail: id, sg_message_id: 'x1.filter' });
  const content = eventsOf([given], { personOf, source: 'webhook', readAt: new Date() });
  const storing = {
    ...{ stream: findStream('sendgrid.events'), now: new Date() },
    ...{ distrustsDigests: false, sealer: testSealer },
  };
  await db.transaction((tx) => storePage(tx, sender, storing, { phase: 'changes', ...content }));
}

/** Where a run dies: once the letter is on its way, or once the provider has answered. */
export type Death = 'before the request' | 'after the request';

/** Services with which a run ends there, as if its process had been killed. */
export function dying(death: Death): RunTaskOptions {
  return mailing((mail) => ({
    async send(context, letter) {
      if (death === 'after the request') await mail.send(context, letter);
      throw new Error(`killed ${death}`);
    },
  }));
}

/** Services whose mail does some things otherwise. */
export function mailing(otherwise: (mail: Mail) => Partial<Mail>): RunTaskOptions {
  const set = providerSet(
    providers.map((provider) => {
      const { mail } = provider;
      return mail === undefined ? provider : { ...provider, mail: { ...mail, ...otherwise(mail) } };
    }),
  );
  return { services: makeKeyring(testSealer, [], set) };
}

/** What an account has sent through `mail/send`: letters, and the events that follow from them. */
import { z } from 'zod';
import type { Draft } from '../ndjson.ts';
import { type Account, Answer, type Asked, Refusal } from '../tables/declare.ts';
import type { Settings } from './settings.ts';

const ARGUMENTS_BYTES_MAX = 10_000;

const address = z.object({ email: z.email(), name: z.string().optional() });
const text = z.string().min(1);
const args = z
  .record(z.string(), z.string())
  .refine((given) => Buffer.byteLength(JSON.stringify(given)) <= ARGUMENTS_BYTES_MAX, 'has over 10,000 bytes')
  .default({});
const letterShape = z
  .object({
    personalizations: z
      .array(
        z.object({
          to: z.array(address).min(1),
          subject: text.optional(),
          custom_args: args,
          dynamic_template_data: z.record(z.string(), z.unknown()).optional(),
        }),
      )
      .min(1)
      .max(1_000),
    from: address,
    subject: text.optional(),
    content: z.array(z.object({ type: text, value: text })).optional(),
    template_id: text.optional(),
    categories: z.array(z.string().max(255)).max(10).default([]),
    custom_args: args,
    asm: z.object({ group_id: z.int() }).optional(),
    mail_settings: z.object({ sandbox_mode: z.object({ enable: z.boolean() }).optional() }).optional(),
  })
  .refine(({ template_id, content }) => template_id ?? content, 'content is needed, or template_id')
  .refine(
    ({ template_id, subject, personalizations }) =>
      template_id ?? subject ?? personalizations.every((one) => one.subject),
    'subject is needed',
  )
  .refine(
    ({ content = [] }) => content.findIndex(({ type }) => type === 'text/plain') <= 0,
    'content: text/plain must be first',
  );

export type SentLetter = {
  account: string;
  message_id: string;
  at: string;
  to: string;
  from: string;
  custom_args: Record<string, string>;
  template_id?: string | undefined;
  subject?: string | undefined;
  content?: readonly { type: string; value: string }[] | undefined;
  variables?: Record<string, unknown> | undefined;
};

/** `events`: also those of the file, in one list that grows. */
type Sent = { letters: SentLetter[]; events: Draft[] };

const bySender = new WeakMap<object, Sent>();

// By the settings, which an account keeps however it is looked at.
export const lettersOf = ({ settings }: { settings: unknown }): readonly SentLetter[] =>
  bySender.get(Object(settings))?.letters ?? [];
export const isSentHere = (id: string): boolean => id.startsWith(PREFIX);

/** Those of its file, and those of what it has sent. */
export function eventsOf(account: Account<Settings>): readonly Draft[] {
  return bySender.get(account.settings)?.events ?? account.rows('events');
}

const PREFIX = 'sandbox';

export function sendMail(asked: Asked<Settings>): Answer {
  const { account, body, now } = asked;
  const { success, data: letter, error } = letterShape.safeParse(body);
  if (!success) throw new Refusal(400, z.prettifyError(error).replaceAll('\n', ' '));
  const templates = account.rows('templates');
  if (letter.template_id && templates.length > 0 && !templates.some(({ id }) => id === letter.template_id))
    throw new Refusal(400, 'The template_id is not one of this account.');
  if (letter.mail_settings?.sandbox_mode?.enable) return new Answer(200, undefined);
  const sent = bySender.get(account.settings) ?? { letters: [], events: [...account.rows('events')] };
  bySender.set(account.settings, sent);
  const message_id = `${PREFIX}-${account.name}-${sent.letters.length}`;
  const seconds = Math.floor(now / 1000);
  let index = 0;
  for (const { to, custom_args, dynamic_template_data: variables, subject } of letter.personalizations)
    for (const { email } of to) {
      const given = { ...letter.custom_args, ...custom_args };
      const { template_id, content } = letter;
      sent.letters.push({
        ...{ account: account.name, message_id, at: new Date(now).toISOString(), to: email },
        ...{ from: letter.from.email, custom_args: given, template_id, content, variables },
        subject: subject ?? letter.subject,
      });
      const common = {
        ...{ email, timestamp: seconds, category: letter.categories, ...given },
        ...{ sg_message_id: `${message_id}.filter.sandbox.${index++}`, template_id: letter.template_id },
        ...(letter.asm && { asm_group_id: letter.asm.group_id }),
      };
      sent.events.push(
        ...fateOf(account, email).map((one) => ({
          ...{ ...common, ...one, sg_event_id: `${common.sg_message_id}.${one.event}` },
        })),
      );
    }
  return new Answer(202, undefined, { 'x-message-id': message_id });
}

/** `bounce@…` bounces, and whoever unsubscribed is dropped. */
function fateOf(account: Account<Settings>, email: string): (Draft & { event: string })[] {
  const isGone = ['bounces', 'spam_reports', 'unsubscribes'].some((list) =>
    account.rows(list).some((row) => row.email === email),
  );
  if (isGone) return [{ event: 'dropped', reason: 'Unsubscribed Address' }];
  const processed = { event: 'processed' };
  if (email.startsWith('bounce@'))
    return [processed, { event: 'bounce', type: 'bounce', reason: '550 5.1.1 unknown', status: '5.1.1' }];
  return [processed, { event: 'delivered', response: '250 OK' }];
}

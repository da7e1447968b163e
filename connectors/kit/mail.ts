/**
 * A provider that sends mail. It is handed one letter to one recipient at a time, with a token that travels with it. No
 * provider knows a request again, so what matters of an attempt is whether the provider may have the letter: `sent`, `refused` and
 * `not_sent` are certain; all else is `unknown`, and is looked up by the token before the letter is sent again.
 */
import { coded, type NightshiftError } from '#runtime/errors.ts';
import type { StreamContext } from './stream.ts';

const PAUSE_MS = 60 * 60_000;

/** What lacks is the account's, so no letter is to blame. */
export class MailPaused extends coded('NS_MAIL_PAUSED') {
  constructor(provider: string, account: string, answer: string) {
    super(`${provider} takes no mail of ${account} now: it answered ${answer}`, {
      hint: 'Give the account what is missing: the permission to send, a verified sender, credits. Letters wait for it.',
      context: { provider, account },
      retryAfterMs: PAUSE_MS,
    });
  }
}

export type MailContext = Pick<StreamContext, 'connection' | 'db' | 'sealer' | 'signal' | 'stats' | 'now'>;

/** A template of the provider's, or the text itself. */
export type MailBody =
  | { template: string; variables: Readonly<Record<string, unknown>> }
  | { subject: string; text: string; html: string };

export type OutgoingLetter = {
  token: string;
  /** In lower case, the one way in which logs are searched for it. */
  to: string;
  /** Digest of the address. */
  recipient: string;
  from: { address: string; name: string | null };
  /** An unsubscribe group of the provider's. */
  groupId: string | null;
  campaign: string | null;
  body: MailBody;
};

export type Sending =
  | { outcome: 'sent'; messageId: string | null }
  /** The provider does not want this letter: it never will. */
  | { outcome: 'refused'; reason: string }
  /** The provider has not got it: it may be tried again. */
  | { outcome: 'not_sent'; error: Error }
  | { outcome: 'unknown'; error: NightshiftError };

/** By whom (null: by anybody) and between which instants it may have been sent. */
export type Sought = {
  token: string;
  to: string;
  from: string | null;
  since: Date;
  until: Date;
  /** What the provider calls other letters of ours to the recipient: they need not be looked at. */
  others: ReadonlySet<string>;
};

export type LookedUp =
  | { state: 'found'; messageId: string | null }
  /** The log was read, and does not have it. */
  | { state: 'absent' }
  /** That it was not found proves nothing. `never`: nor can it ever be found. */
  | { state: 'untold'; why: string; never: boolean };

export type Mail = {
  /** Permissions that the key needs. */
  scopes: { send: string; lookUp: string };
  /** Whether it names a template of the provider's. */
  isTemplate(name: string): boolean;
  /** How such a name is written. */
  templateForm: string;
  /** Waits for our turn, so that nothing has to wait once the letter is recorded as on its way. */
  turn(context: MailContext): Promise<void>;
  /** One request, never repeated; it ends in time, whatever the provider does. */
  send(context: MailContext, letter: OutgoingLetter): Promise<Sending>;
  /** Looks for a letter that may have been handed over since an instant. Throws if the provider cannot be asked now. */
  lookUp(context: MailContext, letter: Sought): Promise<LookedUp>;
};

/** Errors of providers, ordered by what happens to the job. */
import { coded } from '#runtime/errors.ts';
import { quote } from '#runtime/scrub.ts';

const DAY_MS = 24 * 60 * 60_000;

/** The names by which a person knows a connection. */
export type Named = { id: string; name: string; brand: string };

/** As it is typed after `npx nightshift connections check`. */
const typed = ({ name, brand }: Named) => `${name} --brand ${brand}`;

/** The advice after everything was just read again. */
export const FULL_DID_NOT_HELP = 'reading everything again did not help: please report it with this message';

/** Network errors and 5xx answers that lasted longer than a job waits. */
export class ProviderUnavailable extends coded('NS_PROVIDER_UNAVAILABLE') {
  constructor(
    provider: string,
    what: string,
    { status, ...options }: { status?: number; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(`${provider} cannot be reached: ${what}.`, {
      hint: 'Nothing to do: the job is retried later. If it persists, see the status page of the provider.',
      context: { provider, status },
      ...options,
    });
  }
}

/** The provider limits requests for longer than a job waits. */
export class RateLimited extends coded('NS_RATE_LIMITED') {
  constructor(provider: string, account: string, retryAfterMs: number) {
    super(
      `${provider} limits the requests of ${account}; the next one is possible in ${seconds(retryAfterMs)} s.`,
      {
        hint: 'Nothing to do: the job continues by itself. Waiting spends none of its attempts.',
        context: { provider, account },
        retryAfterMs,
      },
    );
  }
}

export class CredentialsRejected extends coded('NS_CREDENTIALS_REJECTED') {
  /** `refusal` is the answer of the provider, or says why no request can be sent with the key. */
  constructor(provider: string, connection: Named, refusal: string | { unusable: string }) {
    const isAnswer = typeof refusal === 'string';
    const message = isAnswer
      ? `${provider} answered ${refusal}: it refuses the key of connection ${connection.name}.`
      : `${provider} cannot be read with the key of connection ${connection.name}: ${refusal.unusable}.`;
    super(message, {
      hint: `Store a new key, which also releases it: npx nightshift connections key ${typed(connection)}`,
      context: { provider, connectionId: connection.id, ...(isAnswer && { answer: refusal }) },
    });
  }
}

export class ScopeMissing extends coded('NS_SCOPE_MISSING') {
  constructor(provider: string, connection: Named, needs: string, details: string) {
    super(`${provider} denies connection ${connection.name} what it needs (${needs}): ${details}`, {
      hint: `Grant ${needs} to the app, then: npx nightshift connections check ${typed(connection)} && npx nightshift connections release ${typed(connection)}`,
      context: { provider, connectionId: connection.id, needs },
    });
  }
}

/** A permission or a plan is missing for a part of the account: only what needs it cannot be read (`permission.ts`). */
export class Denied extends ScopeMissing {
  readonly provider: string;
  readonly answer: string;
  /** Undefined if the answer does not say. */
  readonly needs: string | undefined;

  constructor(provider: string, connection: Named, answer: string, needs?: string) {
    super(provider, connection, needs ?? 'a permission', answer);
    this.provider = provider;
    this.answer = answer;
    this.needs = needs;
  }
}

/** A key that is visibly wrong, before any request. Messages never repeat it. */
export class KeyUnfit extends coded('NS_KEY_UNFIT') {
  constructor(provider: string, problem: string, hint: string) {
    super(`This key cannot read from ${provider}: ${problem}.`, {
      hint: `${hint} Store it with: npx nightshift connections key`,
      context: { provider },
    });
  }
}

/** The account is frozen, locked or gone. */
export class AccountSuspended extends coded('NS_ACCOUNT_SUSPENDED') {
  /** `probe`: the account may recover by itself, so it is tried again each day; else a person must act. */
  constructor(provider: string, account: string, answer: string, probe: boolean) {
    super(`${provider} answered ${answer}: the account ${account} is suspended.`, {
      hint: probe
        ? 'The owner of the account must settle it with the provider. Nightshift tries again each day.'
        : 'The owner of the account must settle it with the provider; then release the connection.',
      verdict: probe ? 'retry' : 'hold',
      context: { provider, account, answer },
      ...(probe && { retryAfterMs: DAY_MS }),
    });
  }
}

export class AccountNotFound extends coded('NS_ACCOUNT_NOT_FOUND') {
  constructor(provider: string, account: string, connection: Named) {
    super(
      `${provider} does not know the account ${account} at the address of connection ${connection.name}.`,
      {
        hint: 'Check its name and address: npx nightshift connections list; a renamed account needs a new connection.',
        context: { provider, account, connectionId: connection.id },
      },
    );
  }
}

/** Key and address belong to another account than the connection, so data would be mixed. */
export class AccountDiffers extends coded('NS_ACCOUNT_DIFFERS') {
  constructor(provider: string, account: string, answering: string, connection: Named) {
    super(
      `${provider} answers as ${quote(answering)}, but connection ${connection.name} is for ${account}: nothing of it is stored.`,
      {
        hint: 'Store the key (connections key) or the address (connections set-url) of its own account; another account needs a connection of its own.',
        context: { provider, account, answering, connectionId: connection.id },
      },
    );
  }
}

/** Our request is invalid, and repeating it does not help. */
export class RequestRefused extends coded('NS_REQUEST_REFUSED') {
  constructor(provider: string, what: string, answer: string) {
    super(`${provider} rejects our request ${what}: ${answer}`, {
      hint: 'This is a fault of Nightshift or a change of the provider: please report it with this message.',
      context: { provider, what },
    });
  }
}

/** An answer that breaks the known contract. `retry`: it may be a damaged copy of a valid one. */
export class AnswerNotUnderstood extends coded('NS_ANSWER_NOT_UNDERSTOOD') {
  constructor(provider: string, what: string, reason: string, verdict: 'retry' | 'give_up' = 'give_up') {
    super(`The answer of ${provider} to ${what} is not valid: ${reason}`, {
      hint: 'Nothing of it was stored. If it persists, the provider has changed: please report it with this message.',
      verdict,
      context: { provider, what },
    });
  }
}

export class RedirectRefused extends coded('NS_REDIRECT_REFUSED') {
  constructor(provider: string, address: string, status: number) {
    super(
      `${provider} answered ${status} at ${address}: redirects are refused, because they could leak the key.`,
      {
        hint: "Give the connection the provider's own address of the account, not a domain that redirects to it.",
        context: { provider, address, status },
      },
    );
  }
}

export class AnswerTooLarge extends coded('NS_ANSWER_TOO_LARGE') {
  constructor(provider: string, address: string, bytesMax: number) {
    super(`The answer of ${provider} at ${address} is larger than ${bytesMax} bytes.`, {
      hint: 'No page is that large: check the address of the connection.',
      context: { provider, address, bytesMax },
    });
  }
}

const seconds = (ms: number) => Math.ceil(ms / 1000);

/**
 * How a provider delivers what changes: how a delivery is verified, what identifies it, and what it says. A delivery
 * that is verified is still only a hint: the object is asked for again, so a stale or repeated one never wins.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { PrivacyRequest } from '#sql/privacy/requests.ts';

/** A delivery as it came. */
export type Delivery = {
  /** Names in lower case. */
  headers: Readonly<Record<string, string | undefined>>;
  body: Buffer;
};

/** Something of a stream changed. */
export type Hint = {
  stream: string;
  /** What the stream fetches the object by; absent: it reads its changes. */
  id?: string;
  /** The provider lists the change only after this time. */
  afterSeconds?: number;
};

/** What a delivery says. */
export type Told = {
  /** The same for each repetition. */
  id: string;
  /** Identifies what is signed, where the id is not. */
  signed?: string;
  topic: string;
  /** The account that it is of, if it says so. Of a request of a person that is signed, else it may not be. */
  account?: string | undefined;
  hints: readonly Hint[];
  /** The stream that loads the rows in it. */
  rowsOf?: string;
  /** A request of a person, or of an account that is closed. */
  privacy?: PrivacyRequest | undefined;
};

export type Webhook = {
  /** The largest body that the provider sends. */
  bytesMax: number;
  /** Headers that the consumer behind a relay needs: the signature, and what tells of the delivery. */
  headers: readonly string[];
  /** Whether one of the secrets has signed exactly these bytes. Never throws. */
  isSigned(delivery: Delivery, secrets: readonly string[], now: Date): boolean;
  /** Only of a verified delivery. Throws if the body is not what the provider sends. */
  read(delivery: Delivery): Told;
  /** Headers that make an old delivery look as if it was signed now; absent if signatures of the provider do not age. */
  resign?(delivery: Delivery, secrets: readonly string[], now: Date): Record<string, string>;
  /** Secrets that the key of the connection itself contains. */
  ownSecrets?(connection: { auth: string; secret: string }): readonly string[];
  /** Why a text cannot be a secret, if that is visible. Never repeats it. */
  problemOf?(secret: string): string | undefined;
};

export function hmac(secret: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const made = createHmac('sha256', secret);
  for (const part of parts) made.update(part);
  return made.digest();
}

/** Whether two byte strings are equal, in a time that does not tell where they differ. */
export function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Identifies a delivery that has no id of its own. */
export function digestOf({ body }: Delivery): string {
  return hash('sha256', body);
}

/** Parses JSON without damage to whole numbers beyond 2^53: such a number becomes its own text. */
export function exactJson(body: Buffer): unknown {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  return JSON.parse(text, exactly);
}

// TypeScript does not know the third parameter yet: https://github.com/tc39/proposal-json-parse-with-source
function exactly(_: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const { source = '' } = context ?? {};
  return /^-?\d+$/.test(source) ? source : value;
}

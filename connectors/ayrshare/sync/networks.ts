/** How the networks of a profile are asked: in turn, not before there is news, and none stops another. */
import { messageOf } from '#runtime/errors.ts';
import { ProviderUnavailable, RequestRefused, ScopeMissing } from '../../kit/errors.ts';
import type { Fields } from '../../kit/fields.ts';
import type { Check, StreamContext } from '../../kit/stream.ts';
import { type Kind, Refused } from '../api/answers.ts';
import { getUser, linkedIn } from '../api/check.ts';
import type { Ayrshare, Got } from '../api/client.ts';
import type { Network, Run } from './sync_state.ts';

/** A network that limits Ayrshare is left alone for so long, doubling. */
const LIMITED_MS = 15 * 60_000;
const LIMITED_DOUBLINGS_MAX = 6;
/** A network that gave numbers within this time, and gives none, is suspect. */
const SUSPECT_MS = 7 * 24 * 60 * 60_000;

const USER = Symbol('the user of the profile');

/** Asked once for all streams of a run. */
export function userOf({ account }: StreamContext, ayrshare: Ayrshare): Promise<Got> {
  return account.once(USER, () => getUser(ayrshare));
}

export async function linkedOf(context: StreamContext, ayrshare: Ayrshare): Promise<string[]> {
  return linkedIn((await userOf(context, ayrshare)).body, ayrshare);
}

/** A network that is not linked may say that the key is of another profile: throws NS_ACCOUNT_DIFFERS if it is. */
export async function assertProfile({ context }: Run, ayrshare: Ayrshare, { kind }: Refused): Promise<void> {
  if (kind === 'unlinked') await userOf(context, ayrshare);
}

/** Whether asking it could say something new. */
export function isDue(network: Network | undefined, now: Date): boolean {
  const { nextUpdate, limitedUntil } = network ?? {};
  return [nextUpdate, limitedUntil].every((time) => time === undefined || Date.parse(time) <= now.getTime());
}

/** As of when Ayrshare gives numbers: its own instant, unless it lies ahead of our request. */
export function readAt({ lastUpdated }: Fields, sentAt: Date): Date {
  const at = typeof lastUpdated === 'string' ? new Date(lastUpdated) : sentAt;
  return at <= sentAt ? at : sentAt;
}

export function answered(answer: Fields, sentAt: Date): Network {
  const { nextUpdate } = answer;
  const until = typeof nextUpdate === 'string' ? new Date(nextUpdate) : undefined;
  const isValid = until !== undefined && !Number.isNaN(until.getTime());
  return {
    ...{ askedAt: sentAt.toISOString(), readAt: readAt(answer, sentAt).toISOString() },
    ...{ nextUpdate: isValid ? until.toISOString() : undefined },
    ...{ isFailing: undefined, limitedUntil: undefined, limitedTimes: undefined },
  };
}

/** Of a network, or of another list of it. */
export function passed(name: string): Check {
  return { name: `account ${name}`, ok: true };
}

export type Refusal = { network: Network; checks: Check[]; incomplete?: string };

/** What becomes of a network that refused. */
export function refused(run: Run, name: string, refusal: Refused, now: Date): Refusal {
  const [platform = name] = name.split(' ');
  const before = run.position.networks[name] ?? {};
  const askedAt = now.toISOString();
  switch (refusal.kind) {
    case 'empty':
    case 'missing':
      return emptied(name, before, refusal, now);
    case 'throttled': {
      const limitedTimes = Math.min(LIMITED_DOUBLINGS_MAX, (before.limitedTimes ?? 0) + 1);
      const limitedUntil = new Date(now.getTime() + LIMITED_MS * 2 ** (limitedTimes - 1)).toISOString();
      const incomplete = `${platform} limits Ayrshare until ${limitedUntil}: ${refusal.message}`;
      return { network: { askedAt, limitedTimes, limitedUntil }, checks: [], incomplete };
    }
    case 'unavailable': {
      const incomplete = `${platform} cannot be read: ${refusal.message}`;
      return { network: { askedAt }, checks: [], incomplete };
    }
    default: {
      const what = refusal.kind === 'unlinked' ? 'has to be linked again in Ayrshare' : 'cannot be read';
      const cause = `${platform} ${what}: ${refusal.message}`;
      const check = { name: `account ${name}`, ok: false, cause };
      return { network: { askedAt, isFailing: true }, checks: [check], incomplete: cause };
    }
  }
}

/** No data is no fault of an account that never had any. */
function emptied(name: string, before: Network, { message }: Refused, now: Date): Refusal {
  const { numbersAt } = before;
  const network = answered({}, now);
  const isSuspect = numbersAt !== undefined && now.getTime() - Date.parse(numbersAt) < SUSPECT_MS;
  if (!isSuspect) return { network, checks: [passed(name)] };
  const cause = `${name} gave numbers until ${numbersAt} and gives none now: ${message}`;
  return { network, checks: [{ name: `account ${name}`, ok: false, cause }], incomplete: cause };
}

/** Ends the checks of networks that are not linked any more. */
export function unlinked({ position }: Run, linked: readonly string[], checks: readonly string[]): Check[] {
  const cause = 'it is not linked any more';
  return position.linked
    .filter((platform) => !linked.includes(platform))
    .flatMap((platform) => checks.map((check) => ({ name: check.replace('{}', platform), ok: true, cause })));
}

/**
 * What is asked of one network fails for that network alone: only what is said of the key, of the profile and of its
 * limit is of all of them, and what never reached Ayrshare.
 */
export async function orRefused<T>(
  platforms: readonly string[],
  ask: () => Promise<T>,
): Promise<T | Refused> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Refused) return error;
    const kind = kindOf(error);
    if (kind === undefined) throw error;
    const [first, second] = platforms;
    return new Refused(kind, messageOf(error), second === undefined ? first : undefined);
  }
}

function kindOf(error: unknown): Kind | undefined {
  if (error instanceof RequestRefused || error instanceof ScopeMissing) return 'failed';
  const hasAnswered = error instanceof ProviderUnavailable && error.context.status !== undefined;
  return hasAnswered ? 'unavailable' : undefined;
}

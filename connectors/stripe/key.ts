/** What the key of a connection is: its prefix says the kind and the mode. https://docs.stripe.com/keys */
import { NightshiftError } from '#runtime/errors.ts';

export const authKinds = ['key', 'connected'] as const;

export type Key = { livemode: boolean; isRestricted: boolean };

export class KeyUnfit extends NightshiftError {
  readonly code = 'NS_KEY_UNFIT';

  constructor(problem: string) {
    super(`The key is no key that reads from Stripe: ${problem}.`, {
      hint: 'Make a restricted key with read permissions (rk_live_… or rk_test_…) under Developers, API keys, and store it with: npx nightshift connections key',
      verdict: 'hold',
    });
  }
}

/** Live and test data never meet in one connection. */
export class ModeMixed extends NightshiftError {
  readonly code = 'NS_MODE_MIXED';

  constructor(connectionId: string, what: string, livemode: boolean) {
    const [there, here] = livemode ? ['test', 'live'] : ['live', 'test'];
    super(`${what} is of Stripe's ${there} mode, connection ${connectionId} holds ${here} data.`, {
      hint: `Give it a key of ${here} mode again, or add another connection for ${there} data.`,
      verdict: 'hold',
      context: { connectionId },
    });
  }
}

/** Throws NS_KEY_UNFIT for what could never read. No message repeats any of the key. */
export function readKey(secret: string): Key {
  if (secret.startsWith('pk_')) throw new KeyUnfit('it is a publishable one (pk_)');
  const [, kind, mode] = /^(rk|sk)_(live|test)_\S+$/.exec(secret) ?? [];
  if (kind === undefined) throw new KeyUnfit('it begins neither with rk_ nor with sk_');
  return { livemode: mode === 'live', isRestricted: kind === 'rk' };
}

export const SECRET_KEY_WARNING =
  'The key is a secret one (sk_), which may do everything: a restricted one (rk_) with read permissions is enough';

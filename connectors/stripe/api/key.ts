/** The kind and mode of a key, which its prefix says. https://docs.stripe.com/keys */
import { coded } from '#runtime/errors.ts';
import { SECRET } from '#runtime/shapes.ts';
import { KeyUnfit, type Named } from '../../kit/errors.ts';
import { type KeyForm, problemOf } from '../../kit/key_form.ts';

export const keyForm: KeyForm = {
  auth: [
    { name: 'key', means: 'for its own account' },
    { name: 'connected', means: 'for a connected account' },
  ],
  shapes: [
    {
      of: 'Stripe',
      signs: ['_live_', '_test_'],
      pattern: /[a-z]{2}_(?:org_)?(?:live|test)_\w{4,}/g,
      blank: SECRET,
    },
    { of: 'Stripe', signs: ['whsec_'], pattern: /whsec_[\w+/=]{4,}/g, blank: SECRET },
    {
      of: 'Stripe',
      signs: ['_secret_'],
      pattern: /[a-z]{2,8}_[A-Za-z0-9]{1,64}_secret_\w{4,}/g,
      blank: SECRET,
    },
  ],
  prefixes: ['rk_', 'sk_', 'pk_', 'whsec_'],
  unfit: {
    pk_: 'it is a publishable key (pk_)',
    whsec_: 'it is the secret of a webhook (whsec_)',
  },
  fits: /^(rk|sk)_(live|test)_\S+$/,
  otherwise: 'it begins with neither rk_ nor sk_',
  hint: 'Create a restricted key with read permissions (rk_live_… or rk_test_…) under Developers, API keys.',
};

export type Key = { livemode: boolean; isRestricted: boolean };

/** One connection never mixes live and test data. */
export class ModeMixed extends coded('NS_MODE_MIXED') {
  constructor({ id: connectionId, name }: Named, what: string, livemode: boolean) {
    const [there, here] = livemode ? ['test', 'live'] : ['live', 'test'];
    super(`${what} is of Stripe's ${there} mode, connection ${name} holds ${here} data.`, {
      hint: `Store a key of ${here} mode again, or add another connection for ${there} data.`,
      context: { connectionId },
    });
  }
}

/** Throws NS_KEY_UNFIT for a key that can never read. No message repeats the key. */
export function readKey(secret: string): Key {
  const problem = problemOf(keyForm, secret);
  if (problem !== undefined) throw new KeyUnfit('Stripe', problem, keyForm.hint);
  const [, kind, mode] = keyForm.fits.exec(secret) ?? [];
  return { livemode: mode === 'live', isRestricted: kind === 'rk' };
}

export const SECRET_KEY_WARNING =
  'The key is a secret key (sk_), which may do everything: a restricted key (rk_) with read permissions is enough';

/** The forms of keys of every provider that connections can be added for. */
import { KeyUnfit } from './kit/errors.ts';
import { type KeyForm, problemOf } from './kit/key_form.ts';
import { keyForm as shopify } from './shopify/api/key.ts';
import { keyForm as stripe } from './stripe/api/key.ts';

export const keyForms: Readonly<Record<string, KeyForm>> = { shopify, stripe };

/** Throws NS_KEY_UNFIT for a key, or a part of one, that is seen to be another provider's. */
export function assertOwn(provider: string, part: string): void {
  const owner = Object.entries(keyForms).find(
    ([name, { prefixes }]) => name !== provider && prefixes.some((prefix) => part.startsWith(prefix)),
  );
  if (owner) throw new KeyUnfit(provider, `it is one of ${owner[0]}`, formOf(provider).hint);
}

/** Throws NS_KEY_UNFIT for a key that is seen to be another provider's, or to read nothing. */
export function assertKey(provider: string, key: string): void {
  assertOwn(provider, key);
  const form = formOf(provider);
  const problem = problemOf(form, key);
  if (problem !== undefined) throw new KeyUnfit(provider, problem, form.hint);
}

function formOf(provider: string): KeyForm {
  const form = keyForms[provider];
  if (form === undefined) throw new TypeError(`the keys of ${provider} have no form`);
  return form;
}

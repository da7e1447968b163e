/** API and profile keys of Ayrshare. https://www.ayrshare.com/docs/apis/overview */
import { SECRET } from '#runtime/shapes.ts';
import { KeyUnfit } from '../kit/errors.ts';
import { isObject } from '../kit/fields.ts';
import type { KeyForm } from '../kit/key_form.ts';

export const PROVIDER = 'Ayrshare';

export const keyForm: KeyForm = {
  auth: [
    { name: 'profile', means: 'one of several profiles', parts: ['api_key', 'profile_key'] },
    { name: 'primary', means: 'the primary profile of an account' },
    {
      ...{ name: 'profile_and_x', means: 'a profile, with the X app that X demands' },
      parts: ['api_key', 'profile_key', 'x_api_key', 'x_api_secret'],
    },
  ],
  shapes: [
    // Four groups; a digit in the first two distinguishes them from words with hyphens.
    {
      of: 'Ayrshare',
      signs: ['-'],
      pattern:
        /(?<=^|[^\w-]|%[\dA-F]{2}|\\[nrt]|\\u[\da-f]{4})(?=[A-Za-z-]{0,15}\d)[A-Za-z0-9]{6,8}(?:-[A-Za-z0-9]{6,8}){3}(?![\w-])/g,
      blank: SECRET,
    },
  ],
  prefixes: [],
  unfit: {},
  fits: /^\S+$/,
  otherwise: 'it has spaces',
  hint: 'Use the API key of the account and the key of the profile, as api-key:profile-key, or with --auth primary the API key alone.',
};

export type Keys = { headers: Record<string, string>; secrets: readonly string[]; hasX: boolean };

/**
 * The headers of every request. A request without `Profile-Key` succeeds, for the primary profile: so only a connection
 * that is of that one goes without it.
 */
export function keysOf({ auth, secret }: { auth: string; secret: string }): Keys {
  if (auth === 'primary') return keys(secret, {});
  const parts = keyForm.auth.find(({ name }) => name === auth)?.parts;
  const typed = parts && parse(secret);
  const texts = (parts ?? []).map((part) => typed?.[part]);
  const [apiKey, profileKey, xKey, xSecret] = texts.filter((text) => typeof text === 'string' && text !== '');
  if (parts === undefined || typeof apiKey !== 'string' || texts.length !== texts.filter(Boolean).length)
    throw new KeyUnfit(PROVIDER, 'it is not made of an API key and the key of a profile', keyForm.hint);
  return keys(apiKey, {
    'profile-key': String(profileKey),
    ...(typeof xKey === 'string' && {
      'x-twitter-oauth1-api-key': xKey,
      'x-twitter-oauth1-api-secret': String(xSecret),
    }),
  });
}

function keys(apiKey: string, more: Record<string, string>): Keys {
  return {
    headers: { authorization: `Bearer ${apiKey}`, ...more },
    secrets: [apiKey, ...Object.values(more)],
    hasX: 'x-twitter-oauth1-api-key' in more,
  };
}

function parse(secret: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(secret);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

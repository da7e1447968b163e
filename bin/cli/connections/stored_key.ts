/** Turns a typed key into the form that connectors store. */

import { isObject } from '#connectors/kit/fields.ts';
import type { Auth } from '#connectors/kit/key_form.ts';
import { assertKey, assertOwn, providerOf, providers } from '#connectors/providers.ts';
import { UsageError } from '../ui/errors.ts';

/** All ways in which any provider uses a key. */
export const AUTHS: readonly string[] = [
  ...new Set(providers.flatMap(({ key }) => key.auth.map(({ name }) => name))),
];

/** The chosen way, if the provider has it. */
export function authOf({ provider, auth }: { provider: string; auth?: string | undefined }): string {
  const { title, key } = providerOf(provider);
  const chosen = auth ?? key.auth[0].name;
  if (key.auth.some(({ name }) => name === chosen)) return chosen;
  throw new UsageError(
    `--auth ${chosen} is not a way to use a key of ${title}.`,
    `choose one of: ${key.auth.map(({ name }) => name).join(', ')}`,
  );
}

export type TypedKey = { provider: string; auth: string; key: string };

/** Refuses a key that can never read. The parts of a key are typed with a colon between them, or as the stored JSON. */
export function storedKey({ provider, auth, key }: TypedKey): string {
  const { parts } = providerOf(provider).key.auth.find(({ name }) => name === auth) ?? {};
  if (parts === undefined) {
    assertKey(provider, key);
    return key;
  }
  const typed = partsOf(key, parts);
  const isWhole = parts.every((part) => typeof typed[part] === 'string' && typed[part] !== '');
  if (!isWhole || Object.keys(typed).length !== parts.length)
    throw new UsageError(
      `The key of --auth ${auth} has ${parts.length} parts.`,
      `give it as ${parts.map(spelled).join(':')}, through --key-env or standard input`,
    );
  for (const part of parts) assertOwn(provider, String(typed[part]));
  return JSON.stringify(typed);
}

/** The last part may have colons in it. */
function partsOf(key: string, parts: NonNullable<Auth['parts']>): Record<string, unknown> {
  const pieces = key.split(':');
  const typed = [...pieces.slice(0, parts.length - 1), pieces.slice(parts.length - 1).join(':')];
  if (!key.startsWith('{')) return Object.fromEntries(parts.map((part, index) => [part, typed[index]]));
  try {
    const typed: unknown = JSON.parse(key);
    return isObject(typed) ? typed : {};
  } catch {
    return {}; // is refused without showing it
  }
}

const spelled = (part: string) => part.replaceAll('_', '-');

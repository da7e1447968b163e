/** A key as it is typed, and as connectors want it stored. */
import { z } from 'zod';
import { assertKey, assertOwn, keyForms } from '#connectors/keys.ts';
import { UsageError } from '../ui/errors.ts';

/** The way that is meant, if the provider has it. */
export function authOf({ provider, auth }: { provider: string; auth?: string | undefined }): string {
  const kinds: readonly string[] = keyForms[provider]?.auth ?? [];
  const chosen = auth ?? kinds[0];
  if (chosen !== undefined && kinds.includes(chosen)) return chosen;
  throw new UsageError(
    `--auth ${chosen} is no way to use a key of ${provider}.`,
    `choose of: ${kinds.join(', ')}`,
  );
}

const credentials = z.strictObject({ client_id: z.string().min(1), client_secret: z.string().min(1) });

export type TypedKey = { provider: string; auth: string; key: string };

/**
 * Refuses what could never read. Client credentials are typed as `client-id:client-secret`, or as the
 * JSON that is stored.
 */
export function storedKey({ provider, auth, key }: TypedKey): string {
  if (auth !== 'client_credentials') {
    assertKey(provider, key);
    return key;
  }
  const { data, success } = credentials.safeParse(asObject(key));
  if (success) {
    for (const part of Object.values(data)) assertOwn(provider, part);
    return JSON.stringify(data);
  }
  throw new UsageError(
    'The key of --auth client_credentials has two parts.',
    'give it as client-id:client-secret, through --key-env or standard input',
  );
}

function asObject(key: string): unknown {
  const [, client_id, client_secret] = /^([^{:]+):(.+)$/.exec(key) ?? [];
  if (client_id !== undefined) return { client_id, client_secret };
  try {
    return JSON.parse(key);
  } catch {
    return undefined; // refused without repeating it
  }
}

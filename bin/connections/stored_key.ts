/** A key as it is typed, and as connectors want it stored. */
import { z } from 'zod';
import { readKey as readStripeKey } from '#connectors/stripe/key.ts';
import { UsageError } from '../errors.ts';

/** How the keys of each provider are used; the first is meant when nothing is said. */
export const authKinds = {
  shopify: ['token', 'client_credentials'],
  stripe: ['key', 'connected'],
} as const;
export type Auth = (typeof authKinds)[keyof typeof authKinds][number];

const credentials = z.strictObject({ client_id: z.string().min(1), client_secret: z.string().min(1) });

/** Client credentials are typed as `client-id:client-secret`, or as the JSON that is stored. */
export function storedKey(auth: string, key: string): string {
  if (auth === 'key' || auth === 'connected') readStripeKey(key); // refuses what could never read
  if (auth !== 'client_credentials') return key;
  const { data, success } = credentials.safeParse(asObject(key));
  if (success) return JSON.stringify(data);
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

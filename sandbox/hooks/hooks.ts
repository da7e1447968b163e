/** The subscriptions that clients have made: they outlast a load of other data, as they would at a real provider. */
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import type { Draft } from '../ndjson.ts';

export type HookProvider = 'shopify' | 'stripe' | 'sendgrid' | 'ayrshare';

export type Hook = {
  id: string;
  provider: HookProvider;
  /** Shop, account or profile. */
  account: string;
  topics: readonly string[];
  url: string;
  enabled: boolean;
  createdAt: Date;
  /** Stripe: the secret that it was made with. */
  secret?: string;
  /** SendGrid, while signing is switched on. */
  keys?: { privateKey: KeyObject; publicKey: string };
  /** Further fields as the provider shows them. */
  more: Draft;
};

const HOOKS_MAX = 1_000;
const ROTATION_MS = 24 * 60 * 60_000;

type ProfileSecret = { text: string; until: number };

export class Hooks {
  readonly #hooks = new Map<string, Hook>();
  /** Ayrshare: one secret for all hooks of a profile. */
  readonly #profileSecrets = new Map<string, readonly ProfileSecret[]>();
  #made = 0;

  list(provider: HookProvider, account: string): Hook[] {
    return [...this.#hooks.values()].filter((hook) => hook.provider === provider && hook.account === account);
  }

  find(provider: HookProvider, account: string, id: string): Hook | undefined {
    return this.list(provider, account).find((hook) => hook.id === id);
  }

  /** Adds one, or takes the place of what has its id. */
  put(hook: Hook): Hook {
    if (this.#hooks.size >= HOOKS_MAX)
      throw new Error(`The sandbox keeps ${HOOKS_MAX} subscriptions at most.`);
    this.#hooks.set(keyOf(hook), hook);
    return hook;
  }

  remove(hook: Hook): void {
    this.#hooks.delete(keyOf(hook));
  }

  /** The newest first. */
  secretsOf(profile: string): string[] {
    const secrets = this.#profileSecrets.get(profile) ?? [];
    return secrets.filter(({ until }) => until > Date.now()).map(({ text }) => text);
  }

  setSecret(profile: string, text: string): void {
    this.#profileSecrets.set(profile, [{ text, until: Number.POSITIVE_INFINITY }]);
  }

  /** The one before goes on signing beside it for a day. */
  rotateSecret(profile: string, text: string): void {
    const [before] = this.secretsOf(profile);
    this.setSecret(profile, text);
    const left = before === undefined ? [] : [{ text: before, until: Date.now() + ROTATION_MS }];
    this.#profileSecrets.set(profile, [...(this.#profileSecrets.get(profile) ?? []), ...left]);
  }

  /** A number that no other one has. */
  next(): number {
    this.#made += 1;
    return this.#made;
  }

  clear(): void {
    this.#hooks.clear();
    this.#profileSecrets.clear();
  }
}

function keyOf({ provider, account, id }: Pick<Hook, 'provider' | 'account' | 'id'>): string {
  return JSON.stringify([provider, account, id]);
}

export function newSecret(): string {
  return `whsec_${randomBytes(24).toString('base64url').replaceAll(/[-_]/g, 'x')}`;
}

export function newKeys(): NonNullable<Hook['keys']> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return { privateKey, publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') };
}

export function hmac(secret: string, text: string | Buffer): Buffer {
  return createHmac('sha256', secret).update(text).digest();
}

/** Providers take https only; here http of this machine too, where the receiver of a test listens. */
export function isDeliverable(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.|\[::1\]$)/.test(hostname));
}

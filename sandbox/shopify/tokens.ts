import { randomBytes } from 'node:crypto';
import type { Reply } from '../http.ts';
import type { ClientCredentials, Shop } from './shop.ts';

const REFRESH_LIFE_SECONDS = 90 * 86_400;

/** Tokens handed out, by real time. */
export class Tokens {
  readonly #issued = new Map<string, { shop: string; endsAt: number; onUse(): void }>();
  /** What renews the tokens of a client now. */
  readonly #renewing = new Map<ClientCredentials, string[]>();

  accepts(shop: Shop, token: string | undefined): boolean {
    if (!token) return false;
    if (shop.tokens.includes(token)) return true;
    const issued = this.#issued.get(token);
    if (issued?.shop !== shop.name || issued.endsAt <= Date.now()) return false;
    issued.onUse();
    return true;
  }

  /** The token endpoint, whose body may be JSON or a form. */
  issue(shop: Shop, body: string): Reply {
    const { client_id, client_secret, grant_type, refresh_token } = readForm(body);
    const client = shop.clients.find(({ id, secret }) => id === client_id && secret === client_secret);
    if (!client) return refuse('invalid_client', 'Client authentication failed.');
    const granted = client.refreshToken === undefined ? 'client_credentials' : 'refresh_token';
    if (grant_type !== granted) return refuse('unsupported_grant_type', `This client gets ${granted}.`);
    const renewed = granted === 'refresh_token' ? this.#renew(client, String(refresh_token)) : {};
    if (renewed === undefined) return refuse('invalid_grant', 'The refresh token is not valid.');
    const { onUse = () => {}, ...more } = renewed;
    const token = `shpat_${randomBytes(16).toString('hex')}`;
    this.#issued.set(token, { shop: shop.name, endsAt: Date.now() + client.lifeSeconds * 1000, onUse });
    return {
      status: 200,
      body: { access_token: token, scope: shop.scopes.join(','), expires_in: client.lifeSeconds, ...more },
    };
  }

  /** The refresh token before stays usable until the new access token is first used. */
  #renew(client: ClientCredentials, given: string): Renewed | undefined {
    const valid = this.#renewing.get(client) ?? [String(client.refreshToken)];
    if (!valid.includes(given)) return undefined;
    const next = `shprt_${randomBytes(16).toString('hex')}`;
    this.#renewing.set(client, [given, next]);
    const onUse = () => {
      if (this.#renewing.get(client)?.includes(next)) this.#renewing.set(client, [next]);
    };
    return { refresh_token: next, refresh_token_expires_in: REFRESH_LIFE_SECONDS, onUse };
  }
}

type Renewed = Partial<{ refresh_token: string; refresh_token_expires_in: number; onUse(): void }>;

function readForm(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Not JSON: a form.
  }
  return Object.fromEntries(new URLSearchParams(body));
}

function refuse(error: string, description: string): Reply {
  return { status: 400, body: { error, error_description: description } };
}

import { randomBytes } from 'node:crypto';
import type { Reply } from '../http.ts';
import type { Shop } from './shop.ts';

const GRANT = 'client_credentials';

/** Tokens handed out for client credentials, by real time. */
export class Tokens {
  readonly #issued = new Map<string, { shop: string; endsAt: number }>();

  accepts(shop: Shop, token: string | undefined): boolean {
    if (!token) return false;
    if (shop.tokens.includes(token)) return true;
    const issued = this.#issued.get(token);
    return issued?.shop === shop.name && issued.endsAt > Date.now();
  }

  /** The token endpoint, whose body may be JSON or a form. */
  issue(shop: Shop, body: string): Reply {
    const { client_id, client_secret, grant_type } = readForm(body);
    if (grant_type !== GRANT) return refuse('unsupported_grant_type', `The sandbox knows only ${GRANT}.`);
    const client = shop.clients.find(({ id, secret }) => id === client_id && secret === client_secret);
    if (!client) return refuse('invalid_client', 'Client authentication failed.');
    const token = `shpat_${randomBytes(16).toString('hex')}`;
    this.#issued.set(token, { shop: shop.name, endsAt: Date.now() + client.lifeSeconds * 1000 });
    return {
      status: 200,
      body: { access_token: token, scope: shop.scopes.join(','), expires_in: client.lifeSeconds },
    };
  }
}

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

/**
 * The access token of a connection. A `token` connection stores it as its secret. A
 * `client_credentials` connection stores the app's id and secret and gets tokens of a day, a `refresh_token`
 * connection also the token that renews those of an hour, which public apps must use from 2027-01-01. Tokens are kept
 * sealed with the connection so that all workers use the same one. The row of the
 * connection serialises renewals, because a new token can invalidate the previous one.
 * https://shopify.dev/docs/apps/build/authentication-authorization/client-credentials-grant
 * https://shopify.dev/docs/apps/build/security/credentials-and-data/use-expiring-offline-access-tokens
 */
import { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { only } from '#sql/tenants/brands.ts';
import { AnswerNotUnderstood, CredentialsRejected } from '../../kit/errors.ts';
import type { Http } from '../../kit/http/http.ts';
import { withRetry } from '../../kit/http/retry.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { PROVIDER, TokenRefused } from './answers.ts';

const text = z.string().min(1);
/** The secrets of connections that get their tokens, as JSON: what they send, by the grant that they ask for. */
const grants = {
  client_credentials: z.object({ client_id: text, client_secret: text }),
  refresh_token: z.object({ client_id: text, client_secret: text, refresh_token: text }),
};
type Grant = keyof typeof grants;
const grantSchema = z.object({
  access_token: text,
  refresh_token: text.optional(),
  expires_in: z.number().positive().optional(),
});

/** A token with less remaining life is renewed before use. */
const LIFE_LEFT_MS_MIN = 5 * 60_000;
/** Answers without `expires_in` were seen; they do not mean "for ever". */
const LIFE_SECONDS_DEFAULT = 3600;
/** Shopify's tokens live for a day. */
const LIFE_SECONDS_MAX = 24 * 3600;

type Login = Pick<StreamContext, 'connection' | 'db' | 'sealer'> & { http: Http };

export type Tokens = {
  /** Uses the token; if Shopify refuses it, retries once with a new one, then the connection is held. */
  use<T>(work: (token: string) => Promise<T>): Promise<T>;
};

export function tokenSource(context: Login): Tokens {
  const { connection } = context;
  const rejected = (refusal: string | { unusable: string }) =>
    new CredentialsRejected(PROVIDER, connection, refusal);
  if (connection.auth === 'token') {
    const { secret } = connection;
    return {
      use: async (work) => {
        try {
          return await work(secret);
        } catch (error) {
          throw error instanceof TokenRefused ? rejected(error.message) : error;
        }
      },
    };
  }
  const { auth } = connection;
  if (!isGrant(auth)) throw rejected({ unusable: `'${auth}' is not a way to log in` });

  let current: string | undefined;
  return {
    async use(work) {
      current ??= await validToken(context, auth, undefined);
      try {
        return await work(current);
      } catch (error) {
        if (!(error instanceof TokenRefused)) throw error;
      }
      current = await validToken(context, auth, current);
      try {
        return await work(current);
      } catch (error) {
        throw error instanceof TokenRefused ? rejected(error.message) : error;
      }
    },
  };
}

function isGrant(auth: string): auth is Grant {
  return Object.hasOwn(grants, auth);
}

type TokenRow = {
  secret: Buffer;
  secret_key_id: string;
  token: Buffer | null;
  token_key_id: string | null;
  token_expires_at: Date | null;
};

/**
 * The stored token, unless it was refused or expires soon; else a new one, which is stored before use, and with it the token
 * that will renew it. Until then the one before still does, so an answer that is lost is asked for again.
 */
async function validToken(context: Login, auth: Grant, refused: string | undefined): Promise<string> {
  const { connection, db, sealer } = context;
  const { brandId, id: connectionId } = connection;
  const place = { brandId, connectionId, use: 'token' } as const;
  const placeOfSecret = { ...place, use: 'secret' } as const;
  return db.transaction(async (tx) => {
    const stored = await lockToken(tx, connection);
    const { token, token_key_id: keyId, token_expires_at: expiresAt } = stored;
    if (token && keyId && expiresAt && expiresAt.getTime() - Date.now() > LIFE_LEFT_MS_MIN) {
      const value = sealer.open({ keyId, sealed: token }, place);
      if (value !== refused) return value;
    }
    // Another worker may have stored another one since this one opened the connection.
    const secret = sealer.open({ keyId: stored.secret_key_id, sealed: stored.secret }, placeOfSecret);
    const sent = grants[auth].safeParse(parsed(secret));
    if (!sent.success)
      throw new CredentialsRejected(PROVIDER, connection, {
        unusable: `the secret is not JSON with ${Object.keys(grants[auth].shape).join(', ')}`,
      });
    const grant = await requestToken(context, { ...sent.data, grant_type: auth });
    const sealed = sealer.seal(grant.access_token, place);
    const next =
      auth === 'refresh_token' && grant.refresh_token
        ? sealer.seal(JSON.stringify({ ...sent.data, refresh_token: grant.refresh_token }), placeOfSecret)
        : null;
    const life = Math.min(grant.expires_in ?? LIFE_SECONDS_DEFAULT, LIFE_SECONDS_MAX);
    await tx.query(STORE, [
      ...[brandId, connectionId, sealed.sealed, sealed.keyId, life],
      ...[next?.sealed ?? null, next?.keyId ?? null],
    ]);
    return grant.access_token;
  });
}

// `no key update` lets loads continue, which hold the row `for key share`.
const LOCK = `
  select secret, secret_key_id, token, token_key_id, token_expires_at from app.connections
  where brand_id = $1 and id = $2 for no key update`;
const STORE = `
  update app.connections set token = $3, token_key_id = $4,
    token_expires_at = clock_timestamp() + make_interval(secs => $5),
    secret = coalesce($6, secret), secret_key_id = coalesce($7, secret_key_id)
  where brand_id = $1 and id = $2`;

async function lockToken(tx: Tx, { brandId, id }: { brandId: string; id: string }): Promise<TokenRow> {
  const { rows } = await tx.query<TokenRow>(LOCK, [brandId, id]);
  return only(rows);
}

async function requestToken({ connection, http }: Login, sent: { client_secret: string; grant_type: Grant }) {
  const answer = await withRetry(
    () =>
      http.once({
        method: 'POST',
        url: `${connection.baseUrl}/admin/oauth/access_token`,
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(sent),
        secrets: [sent.client_secret],
      }),
    http,
  );
  if (answer.status >= 400)
    throw new CredentialsRejected(PROVIDER, connection, refusalOf(answer.status, answer.text));
  const grant = grantSchema.safeParse(parsed(answer.text));
  if (grant.success) return grant.data;
  throw new AnswerNotUnderstood(PROVIDER, 'the token request', 'it has no access_token');
}

/** The error code of an OAuth answer and nothing else, because the rest may echo our secret. */
function refusalOf(status: number, text: string): string {
  const body = z.object({ error: z.string().regex(/^[a-z_]{1,60}$/) }).safeParse(parsed(text));
  return body.success ? `${status} ${body.data.error}` : String(status);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

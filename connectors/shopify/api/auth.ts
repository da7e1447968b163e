/**
 * The access token of a connection. A `token` connection stores it as its secret. A
 * `client_credentials` connection stores the app's id and secret and gets tokens of a day, kept
 * sealed with the connection so that all workers use the same one. The row of the
 * connection serialises renewals, because a new token can invalidate the previous one.
 * https://shopify.dev/docs/apps/build/authentication-authorization/client-credentials-grant
 */
import { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { AnswerNotUnderstood, CredentialsRejected } from '../../kit/errors.ts';
import type { Http } from '../../kit/http/http.ts';
import { withRetry } from '../../kit/http/retry.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { PROVIDER, TokenRefused } from './answers.ts';

/** The secret of a `client_credentials` connection, as JSON. */
const appSchema = z.object({ client_id: z.string().min(1), client_secret: z.string().min(1) });
const grantSchema = z.object({
  access_token: z.string().min(1),
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
  if (connection.auth !== 'client_credentials')
    throw rejected({ unusable: `'${connection.auth}' is not a way to log in` });

  let current: string | undefined;
  return {
    async use(work) {
      current ??= await validToken(context, undefined);
      try {
        return await work(current);
      } catch (error) {
        if (!(error instanceof TokenRefused)) throw error;
      }
      current = await validToken(context, current);
      try {
        return await work(current);
      } catch (error) {
        throw error instanceof TokenRefused ? rejected(error.message) : error;
      }
    },
  };
}

type TokenRow = { token: Buffer | null; token_key_id: string | null; token_expires_at: Date | null };

/** The stored token, unless it was refused or expires soon; else a new one, which is stored before use. */
async function validToken(context: Login, refused: string | undefined): Promise<string> {
  const { connection, db, sealer } = context;
  const { brandId, id: connectionId } = connection;
  const place = { brandId, connectionId, use: 'token' } as const;
  return db.transaction(async (tx) => {
    const stored = await lockToken(tx, connection);
    const { token, token_key_id: keyId, token_expires_at: expiresAt } = stored;
    if (token && keyId && expiresAt && expiresAt.getTime() - Date.now() > LIFE_LEFT_MS_MIN) {
      const value = sealer.open({ keyId, sealed: token }, place);
      if (value !== refused) return value;
    }
    const grant = await requestToken(context);
    const sealed = sealer.seal(grant.access_token, place);
    const life = Math.min(grant.expires_in ?? LIFE_SECONDS_DEFAULT, LIFE_SECONDS_MAX);
    await tx.query(STORE, [brandId, connectionId, sealed.sealed, sealed.keyId, life]);
    return grant.access_token;
  });
}

// `no key update` lets loads continue, which hold the row `for key share`.
const LOCK = `
  select token, token_key_id, token_expires_at from app.connections
  where brand_id = $1 and id = $2 for no key update`;
const STORE = `
  update app.connections set token = $3, token_key_id = $4,
    token_expires_at = clock_timestamp() + make_interval(secs => $5)
  where brand_id = $1 and id = $2`;

async function lockToken(tx: Tx, { brandId, id }: { brandId: string; id: string }): Promise<TokenRow> {
  const { rows } = await tx.query<TokenRow>(LOCK, [brandId, id]);
  return rows[0] ?? { token: null, token_key_id: null, token_expires_at: null };
}

async function requestToken(context: Login) {
  const { connection, http } = context;
  const app = appSchema.safeParse(parsed(connection.secret));
  if (!app.success)
    throw new CredentialsRejected(PROVIDER, connection, {
      unusable: 'the secret is not JSON with client_id and client_secret',
    });
  const answer = await withRetry(
    () =>
      http.once({
        method: 'POST',
        url: `${connection.baseUrl}/admin/oauth/access_token`,
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ ...app.data, grant_type: 'client_credentials' }),
        secrets: [app.data.client_secret],
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

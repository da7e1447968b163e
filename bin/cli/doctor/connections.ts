/** Checks of connections: whether they may be used, and how their keys are sealed. */
import { checkConnection, makeKeyring } from '#connectors/providers.ts';
import { messageOf } from '#runtime/errors.ts';
import { openDb } from '#sql/db/pool.ts';
import { warnedConnections, warningsSaid } from '#sql/load/warnings.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { sealer } from '#sql/tenants/secrets.ts';
import { storedSecretKeys } from '../shared/secret_keys.ts';
import { alsoSealed, count, span } from '../ui/format.ts';
import { type Check, type Context, type Finding, failure, NAMED_MAX, named, ok, warning } from './check.ts';
import { subscriptionsOf } from './subscriptions.ts';

type Held = { brand: string; name: string; reason: string; since: Date; total: number };

export const held: Check = {
  name: 'held connections',
  async run({ db }) {
    const { rows } = await db.query<Held>(
      `select b.slug as brand, c.name, coalesce(c.held_reason, 'no reason is recorded') as reason, c.held_at as since,
              count(*) over ()::int as total
       from app.connections c join app.brands b on b.id = c.brand_id
       where c.held_at is not null and c.removing_at is null
       order by c.held_at, b.slug, c.name limit ${NAMED_MAX}`,
    );
    return named(rows, rows[0]?.total, ({ brand, name, reason, since }) =>
      failure(
        `${name} of ${brand} has been held since ${since.toISOString()}: ${reason}`,
        `npx nightshift connections check ${name} --brand ${brand}`,
      ),
    );
  },
};

/** Their alerts stand here, and not with those of broken promises: all works still. */
export const warned: Check = {
  name: 'warnings of providers',
  async run({ db }) {
    const { connections, total } = await warnedConnections(db, NAMED_MAX);
    return named(connections, total, ({ brand, connection, warnings }) =>
      warning(
        `Syncs of ${connection} of ${brand} warn: ${warningsSaid(warnings)}.`,
        `npx nightshift connections check ${connection} --brand ${brand}`,
      ),
    );
  },
};

type Asked = { brandId: string; id: string; brand: string; name: string; total: number };

/** `askingMs` for all of them together, `oneMs` for each: one that does not answer keeps nobody else from being asked. */
const BOUNDS = { askingMs: 120_000, oneMs: 20_000, askedMax: 200 };

/** Only where the caller wants it: it costs each provider some requests. */
export const keys = keysWithin(BOUNDS);

export function keysWithin({ askingMs, oneMs, askedMax }: typeof BOUNDS): Check {
  const run: Check['run'] = async (context) => {
    if (!context.asksProviders) return ok('not asked; --connections asks each provider');
    const { rows } = await context.db.query<Asked>(
      `select c.brand_id as "brandId", c.id, b.slug as brand, c.name, count(*) over ()::int as total
       from app.connections c join app.brands b on b.id = c.brand_id
       where c.removing_at is null order by b.slug, c.name limit $1`,
      [askedMax],
    );
    const signal = AbortSignal.timeout(askingMs);
    const findings: Finding[] = [];
    let asked = 0;
    for (const one of rows) {
      const answer = signal.aborted ? [] : await ask(context, one, { signal, oneMs });
      if (signal.aborted) break; // what it said last is that it was broken off
      findings.push(...answer);
      asked += 1;
    }
    const total = rows[0]?.total ?? 0;
    if (asked < total)
      findings.push(
        warning(
          `${total - asked} of ${count(total, 'connection')} were not asked: at most ${askedMax} are, within ${span(askingMs)}.`,
          'npx nightshift connections check NAME --brand BRAND asks one of them',
        ),
      );
    return findings.length > 0 ? findings : ok(`${count(total, 'key')} of connections work`);
  };
  return { name: 'keys at providers', run };
}

type Limits = { signal: AbortSignal; oneMs: number };

async function ask({ url, config }: Context, one: Asked, { signal: all, oneMs }: Limits): Promise<Finding[]> {
  const { brandId, id, brand, name } = one;
  const mend = `npx nightshift connections check ${name} --brand ${brand}`;
  const limit = AbortSignal.timeout(oneMs);
  const signal = AbortSignal.any([all, limit]);
  // Counts of requests and new tokens are kept, as those of each request.
  await using db = openDb(url, { applicationName: 'nightshift doctor', max: 2 });
  try {
    const sealing = sealer((await storedSecretKeys(config)) ?? []);
    const connection = await openConnection(
      db,
      { brandId, connectionId: id },
      makeKeyring(sealing, config.allowedHosts),
    );
    const { missing } = await checkConnection({ connection, db, sealer: sealing, signal }, new Date());
    const lacking = [...new Set(missing.flatMap(({ scopes }) => scopes))];
    const asked = { db, sealer: sealing, connection, signal };
    return lacking.length === 0
      ? await subscriptionsOf(asked, config.publicUrl)
      : [failure(`The key of ${name} of ${brand} lacks ${lacking.join(', ')}.`, mend)];
  } catch (error) {
    if (limit.aborted) return [failure(`${name} of ${brand} did not answer within ${span(oneMs)}.`, mend)];
    return [failure(`The key of ${name} of ${brand} fails its check: ${messageOf(error)}`, mend)];
  }
}

/** What is sealed by an older key cannot be opened once that key is dropped. */
export const sealing: Check = {
  name: 'sealing keys',
  async run({ db, config }) {
    const ids = ((await storedSecretKeys(config)) ?? []).map(({ id }) => id);
    const { rows } = await db.query<{ id: string; connections: number; pings: number; mail: number }>(
      `select id, count(*) filter (where kind = 'connection')::int as connections,
              count(*) filter (where kind = 'ping')::int as pings, count(*) filter (where kind = 'mail')::int as mail
       from (
         select distinct 'connection' as kind, c.brand_id, c.id as owner, used.id
         from app.connections c cross join lateral (values (c.secret_key_id), (c.token_key_id)) as used (id)
         where used.id is not null
         union all
         select 'ping', brand_id, brand_id, address_key_id from app.pings
         union all
         select 'mail', brand_id, id, content_key_id from ops.mail where content_key_id is not null
         union all
         select 'mail', brand_id, connection_id, address_key_id from app.mail_digests
       ) sealed
       group by id order by id limit ${NAMED_MAX}`,
    );
    const findings = rows.flatMap(({ id, connections, pings, mail }) => {
      const said = `${count(connections, 'connection')}${alsoSealed({ pings, mail })} sealed with key ${id}`;
      if (!ids.includes(id))
        return failure(
          `${said}, which this process does not have.`,
          'add it to NIGHTSHIFT_SECRET_KEYS, behind the first',
        );
      return id === ids[0]
        ? []
        : warning(`${said}, which is not the first.`, 'npx nightshift connections reseal');
    });
    return findings.length > 0 ? findings : ok('all is sealed with the first key');
  },
};

type Token = { brand: string; name: string; expired: Date; total: number };

/** A sync renews a token that ends, so one that has been over for a day is one that nobody could renew. */
export const tokens: Check = {
  name: 'tokens',
  async run({ db }) {
    const { rows } = await db.query<Token>(
      `select b.slug as brand, c.name, c.token_expires_at as expired, count(*) over ()::int as total
       from app.connections c join app.brands b on b.id = c.brand_id
       where c.token_expires_at < now() - interval '1 day' and c.removing_at is null
       order by c.token_expires_at, b.slug, c.name limit ${NAMED_MAX}`,
    );
    return named(rows, rows[0]?.total, ({ brand, name, expired }) =>
      warning(
        `The token of ${name} of ${brand} ended on ${expired.toISOString()} and was not renewed.`,
        `npx nightshift sync run --brand ${brand} --connection ${name}`,
      ),
    );
  },
};

/** Checks the key of a connection and its permissions, one by one, before anything is synced. */
import { AccountDiffers, Denied } from '../../kit/errors.ts';
import { isObject } from '../../kit/fields.ts';
import type { ConnectionCheck, RequestContext } from '../../kit/provider.ts';
import { storedRows, unlistedAtAll } from '../../kit/stored/stored.ts';
import type { Stream } from '../../kit/stream.ts';
import { PROVIDER } from '../key.ts';
import { groups } from '../streams/whole_lists.ts';
import { ObjectMissing } from './answers.ts';
import { addDays, dayIn, zoneOf } from './calendar.ts';
import { API_VERSION, isEuropean, openSendGrid, type Params, type SendGrid } from './client.ts';
import { textIfAnyOf, textsIfAnyOf } from './columns.ts';
import { recordsOf } from './lists.ts';

const GROUPS = '/v3/asm/groups';

/** Names of the same permission that keys were given at different times. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  'suppression.read': [
    ...['suppression.bounces.read', 'suppression.blocks.read', 'suppression.invalid_emails.read'],
    ...['suppression.spam_reports.read', 'suppression.unsubscribes.read'],
  ],
  'asm.groups.read': ['asm.groups.suppressions.read'],
  'templates.read': ['templates.versions.read'],
  'stats.read': ['stats.global.read'],
  'marketing.read': ['marketing.automation.read'],
};

/** What shows whether a permission is there that no list of SendGrid names for sure. */
const PROBES: Readonly<Record<string, string>> = {
  'stats.read': '/v3/stats',
  'marketing.read': '/v3/marketing/singlesends',
};

export async function checkSendGrid(
  context: Omit<RequestContext, 'warn'>,
  streams: readonly Stream[],
): Promise<ConnectionCheck> {
  const sendgrid = openSendGrid(context);
  const { connection } = context;
  const name = await assertOwnAccount(sendgrid, context);
  const granted = new Set(await scopesOf(sendgrid));
  const denied = await probe(sendgrid, context.now());
  const isThere = (scope: string) =>
    !denied.has(scope) && [scope, ...(ALSO[scope] ?? [])].some((one) => granted.has(one));
  const lacking = (scopes: readonly string[]) => scopes.filter((scope) => !isThere(scope));
  const missing = streams
    .filter((stream) => !(isEuropean(connection) && stream.name.startsWith('sendgrid.single_send')))
    .map((stream) => ({ stream: stream.name, scopes: lacking(stream.scopes), costs: stream.costs }))
    .filter(({ scopes }) => scopes.length > 0);
  const zone = zoneOf(connection);
  return {
    account: {
      ...{ name: name ?? connection.account, domain: connection.account, currency: 'no currency' },
      ...{ timeZone: zone, createdAt: new Date(0) },
    },
    apiVersion: API_VERSION,
    scopes: [...granted].sort(),
    missing,
    warnings: [
      ...(name === undefined ? [NAMELESS] : []),
      ...(connection.accountZone === null ? [zoneWarning(zone)] : []),
      ...(isEuropean(connection) ? [EUROPEAN] : []),
    ],
  };
}

const NAMELESS = `${PROVIDER} does not say whose key this is: see that it is of the right account, or grant it user.username.read`;
const EUROPEAN = 'the EU region has no marketing: campaigns and their counts are not read';

function zoneWarning(zone: string): string {
  return `counts are taken to be of days of ${zone}, the zone of the brand: name the zone of the account's settings if it is another one (connections zone)`;
}

async function scopesOf(sendgrid: SendGrid): Promise<readonly string[]> {
  return sendgrid.get('/v3/scopes', [], (body) => textsIfAnyOf(isObject(body) ? body : {}, 'scopes'));
}

/** The permissions that are denied although the key may list them, as without a plan. */
async function probe(sendgrid: SendGrid, now: Date): Promise<ReadonlySet<string>> {
  const { connection } = sendgrid;
  const denied = new Set<string>();
  const yesterday = addDays(dayIn(zoneOf(connection), now), -1);
  for (const [scope, path] of Object.entries(PROBES)) {
    if (path.startsWith('/v3/marketing') && isEuropean(connection)) continue;
    const params: Params = path === '/v3/stats' ? [['start_date', yesterday]] : [['page_size', '1']];
    try {
      await sendgrid.get(path, params, () => undefined);
    } catch (error) {
      if (!(error instanceof Denied || error instanceof ObjectMissing)) throw error;
      denied.add(scope);
    }
  }
  return denied;
}

/**
 * Throws NS_ACCOUNT_DIFFERS for the key of another account; gives the name of the account, if the key may read it. If it
 * may not, the unsubscribe groups must be those that are stored: their ids are of one account only.
 */
export async function assertOwnAccount(
  sendgrid: SendGrid,
  { connection, db }: Pick<RequestContext, 'connection' | 'db'>,
): Promise<string | undefined> {
  const { account, auth } = connection;
  const named = await ifAllowed(() =>
    sendgrid.get('/v3/user/username', [], (body) => textIfAnyOf(isObject(body) ? body : {}, 'username')),
  );
  if (named !== undefined && named !== null) {
    const isOwn = auth === 'customer' || named.toLowerCase() === account.toLowerCase();
    if (!isOwn) throw new AccountDiffers(PROVIDER, account, named, connection);
    return named;
  }
  const listed = await ifAllowed(() => sendgrid.get(GROUPS, [], (body) => recordsOf(GROUPS, body)));
  if (listed === undefined) return undefined;
  const ids = listed.map(({ id }) => String(id));
  const gone = await unlistedAtAll({ connection, db }, { tables: [groups] }, new Set(ids));
  const kept = await storedRows({ connection, db }, groups.name, ids);
  if (gone.length > 0 && kept.length === 0)
    throw new AccountDiffers(PROVIDER, account, 'an account with none of its unsubscribe groups', connection);
  return undefined;
}

async function ifAllowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Denied || error instanceof ObjectMissing) return undefined;
    throw error;
  }
}

/** Which faults a provider shows: any other one would strike nobody. */
import type { Fault, FaultKind, Place } from './faults.ts';
import { BadRequest } from './http.ts';

export type Player = 'shopify' | 'stripe' | 'ecb' | 'sendgrid' | 'ayrshare';

/** By provider, the shops or accounts that are served. */
export type ServedNames = Readonly<Record<Player, readonly string[]>>;

const PLAYERS: readonly Player[] = ['shopify', 'stripe', 'ecb', 'sendgrid', 'ayrshare'];
const PLAYER_OF: Readonly<Record<Place, Player>> = {
  ...{ graphql: 'shopify', download: 'shopify', token: 'shopify' },
  ...{ stripe: 'stripe', ecb: 'ecb', sendgrid: 'sendgrid', ayrshare: 'ayrshare' },
};

const OF_ALL: readonly FaultKind[] = ['status', 'reset', 'cut', 'slow'];
const OF_LISTS: readonly FaultKind[] = [
  ...(['revoked_key', 'expired_cursor', 'repeat_page', 'reorder_page', 'late_rows'] as const),
  ...(['older_version', 'webhook'] as const),
];
const SHOWN: Readonly<Record<Player, readonly FaultKind[]>> = {
  shopify: [
    ...[...OF_ALL, ...OF_LISTS, 'throttled' as const, 'no_range' as const],
    ...(['bulk_canceled', 'bulk_failed', 'bulk_expired_url', 'bulk_ungrouped'] as const),
    ...(['bulk_count', 'bulk_slow'] as const),
  ],
  stripe: [...OF_ALL, ...OF_LISTS, 'late_events', 'balance_off'],
  ecb: OF_ALL,
  sendgrid: [...OF_ALL, ...OF_LISTS, 'revoked_scope', 'late_logs'],
  ayrshare: [...OF_ALL, ...OF_LISTS],
};

/** Throws when it names somebody who is not served, or whose provider cannot show it. */
export function assertShown(fault: Fault, place: string, served: ServedNames): void {
  const { shop, account, kind } = fault;
  for (const [field, name] of Object.entries({ shop, account })) {
    if (name === undefined || PLAYERS.some((player) => served[player].includes(name))) continue;
    const names = PLAYERS.flatMap((player) => served[player]).join(', ') || 'nobody at all';
    throw new BadRequest(`${place}.${field}: nobody is called "${name}" here, only ${names}`);
  }
  const name = account ?? shop;
  const named = PLAYERS.filter((player) => name === undefined || served[player].includes(name));
  const meant = named.filter((player) => !('on' in fault) || PLAYER_OF[fault.on] === player);
  if ('on' in fault && meant.length === 0)
    throw new BadRequest(
      `${place}.on: "${fault.on}" is not asked of "${name}", which is of ${named.join(', ')}`,
    );
  if (meant.some((player) => SHOWN[player].includes(kind))) return;
  const shown = meant.map((player) => `${player} shows ${SHOWN[player].join(', ')}`).join('; ');
  throw new BadRequest(`${place}.kind: "${kind}" cannot strike "${name}": ${shown}`);
}

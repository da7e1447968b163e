/** What providers take away soon (`connectors/<provider>/retirements.ts`). */

import type { Provider } from '#connectors/kit/provider.ts';
import { providers } from '#connectors/providers.ts';
import type { Reader } from '#sql/db/reader.ts';
import { type Check, type Finding, ok, warning } from './check.ts';

const AHEAD_DAYS = 60;

export const retirements: Check = {
  name: 'retirements of providers',
  async run({ db }) {
    const found = await retiring(db, providers);
    return found.length > 0 ? found : ok(`no provider takes anything away within ${AHEAD_DAYS} days`);
  },
};

/** Retirements of providers that have a connection. */
export async function retiring(db: Reader, of: readonly Provider[]): Promise<Finding[]> {
  const all = of.flatMap(({ name, title, retirements }) =>
    retirements.map((one) => ({ provider: name, title, ...one })),
  );
  const { rows } = await db.query<{ place: number; days: number }>(
    `select place::int, day - (now() at time zone 'UTC')::date as days
     from unnest($1::date[], $2::text[]) with ordinality as r (day, provider, place)
     where day - (now() at time zone 'UTC')::date between 0 and ${AHEAD_DAYS}
       and exists (select from app.connections c where c.provider = r.provider and c.removing_at is null)
     order by day, place`,
    [all.map(({ on }) => on), all.map(({ provider }) => provider)],
  );
  return rows.flatMap(({ place, days }) => {
    const one = all[place - 1];
    if (one === undefined) return [];
    return warning(
      `${one.title} takes away ${one.what} on ${one.on}, in ${days} days.`,
      one.instead ?? 'nothing replaces it',
    );
  });
}

/** What providers take away soon (`connectors/<provider>/retirements.ts`). */

import type { Provider } from '#connectors/kit/provider.ts';
import { providers } from '#connectors/providers.ts';
import type { Reader } from '#sql/db/reader.ts';
import { count } from '../ui/format.ts';
import { type Check, type Finding, failure, ok, warning } from './check.ts';

const AHEAD_DAYS = 60;

export const retirements: Check = {
  name: 'retirements of providers',
  async run({ db }) {
    const found = await retiring(db, providers);
    return found.length > 0 ? found : ok(`no provider takes anything away within ${AHEAD_DAYS} days`);
  },
};

/** Of providers that have a connection. A field that is gone is no finding: a test holds that nothing reads it. */
export async function retiring(db: Reader, of: readonly Provider[]): Promise<Finding[]> {
  const all = of.flatMap(({ name, title, retirements }) =>
    retirements.map((one) => ({ provider: name, title, ...one })),
  );
  const { rows } = await db.query<{ place: number; days: number }>(
    `select place::int, day - (now() at time zone 'UTC')::date as days
     from unnest($1::date[], $2::text[], $3::boolean[]) with ordinality as r (day, provider, is_watched, place)
     where day - (now() at time zone 'UTC')::date <= ${AHEAD_DAYS}
       and (is_watched or day > (now() at time zone 'UTC')::date)
       and exists (select from app.connections c where c.provider = r.provider and c.removing_at is null)
     order by day, place`,
    [
      all.map(({ on }) => on),
      all.map(({ provider }) => provider),
      all.map(({ field }) => field === undefined),
    ],
  );
  return rows.flatMap(({ place, days }) => {
    const one = all[place - 1];
    if (one === undefined) return [];
    const mend = one.instead ?? 'nothing replaces it';
    const does = one.isRedefined ? 'gives another meaning to' : 'takes away';
    return days > 0
      ? warning(`${one.title} ${does} ${one.what} on ${one.on}, in ${count(days, 'day')}.`, mend)
      : failure(`${one.title} has taken away ${one.what}, since ${one.on}.`, mend);
  });
}

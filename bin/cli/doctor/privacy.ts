/** Whether requests of persons wait that a provider has passed on. */
import { type Check, failure, NAMED_MAX, named, warning } from './check.ts';

type Waiting = {
  id: number;
  kind: string;
  brand: string;
  name: string | null;
  due: Date;
  urgent: boolean;
  total: number;
};

export const privacy: Check = {
  name: 'privacy requests',
  async run({ db }) {
    const { rows } = await db.query<Waiting>(
      `select p.id, p.kind, b.slug as brand, c.name, p.due_at as due, p.due_at < now() + interval '7 days' as urgent,
              count(*) over ()::int as total
       from ops.privacy_requests p
       left join app.connections c on c.brand_id = p.brand_id and c.id = p.connection_id
       join app.brands b on b.id = p.brand_id
       where p.done_at is null order by p.due_at limit ${NAMED_MAX}`,
    );
    return named(rows, rows[0]?.total, ({ id, kind, brand, name, due, urgent }) =>
      (urgent ? failure : warning)(
        `request ${id} (${kind}) of ${name === null ? '' : `${name} of `}${brand} is due on ${due.toISOString().slice(0, 10)}`,
        `npx nightshift privacy show ${id} --brand ${brand}`,
      ),
    );
  },
};

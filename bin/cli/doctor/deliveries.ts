/** Whether what providers deliver is read, loaded and forwarded. */
import { count } from '../ui/format.ts';
import { type Check, type Context, type Finding, failure, NAMED_MAX, named, warning } from './check.ts';

type Trouble = {
  brand: string;
  name: string;
  work: string;
  error: string;
  since: Date;
  told: boolean;
  total: number;
};

type Lost = { brand: string; name: string; n: number; total: number };

/** What fails for an hour was told: a failure. */
export const deliveries: Check = {
  name: 'deliveries',
  run: async (context) => [...(await failing(context)), ...(await lost(context))],
};

async function failing({ db }: Context): Promise<Finding[]> {
  const { rows } = await db.query<Trouble>(
    `select b.slug as brand, c.name, t.work, t.error, t.failing_since as since, t.alert_id is not null as told,
              count(*) over ()::int as total
       from ops.webhook_trouble t
       join app.connections c on c.brand_id = t.brand_id and c.id = t.connection_id
       join app.brands b on b.id = t.brand_id
       order by t.failing_since limit ${NAMED_MAX}`,
  );
  return named(rows, rows[0]?.total, ({ brand, name, work, error, since, told }) =>
    (told ? failure : warning)(
      `work for deliveries of ${name} of ${brand} (${work}) fails since ${since.toISOString()}: ${error}`,
      work === 'relay'
        ? `npx nightshift connections webhooks relay ${name} --brand ${brand}`
        : `npx nightshift connections check ${name} --brand ${brand}`,
    ),
  );
}

/** A request of a person may be among them, and its time runs. Their bodies are kept for as long as they are named. */
async function lost({ db }: Context): Promise<Finding[]> {
  const { rows } = await db.query<Lost>(
    `select b.slug as brand, c.name, count(*)::int as n,
            count(*) over ()::int as total
     from ops.webhook_deliveries d
     join app.connections c on c.brand_id = d.brand_id and c.id = d.connection_id
     join app.brands b on b.id = d.brand_id
     where d.topic = 'unreadable'
     group by b.slug, c.name order by b.slug, c.name limit ${NAMED_MAX}`,
  );
  return named(rows, rows[0]?.total, ({ brand, name, n }) =>
    failure(
      `${count(n, 'delivery', 'deliveries')} to ${name} of ${brand} could not be read, and may be a request of a person`,
      'read body and headers in ops.webhook_deliveries within 7 days, and report what is in them',
    ),
  );
}

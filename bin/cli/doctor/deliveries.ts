/** Whether what providers deliver is read, loaded and forwarded. */
import { type Check, failure, NAMED_MAX, named, warning } from './check.ts';

type Trouble = {
  brand: string;
  name: string;
  work: string;
  error: string;
  since: Date;
  told: boolean;
  total: number;
};

/** What fails for an hour was told: a failure. */
export const deliveries: Check = {
  name: 'deliveries',
  async run({ db }) {
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
  },
};

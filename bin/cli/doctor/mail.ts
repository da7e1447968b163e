/** Whether letters failed, or wait for longer than anything that is settled by itself. */
import { count } from '../ui/format.ts';
import { type Check, type Finding, failure, NAMED_MAX, warning } from './check.ts';

type Row = { brand: string; name: string; failed: number; stuck: number };

export const mail: Check = {
  name: 'mail',
  async run({ db }) {
    const { rows } = await db.query<Row>(
      `select b.slug as brand, c.name, m.failed, m.stuck
       from app.mail_senders s
       join app.connections c on c.brand_id = s.brand_id and c.id = s.connection_id
       join app.brands b on b.id = s.brand_id
       cross join lateral (
         select count(*) filter (where state = 'failed' and ended_at > now() - interval '7 days')::int as failed,
                count(*) filter (where (state = 'queued' and queued_at < now() - interval '25 hours')
                  or (state = 'sending' and sending_at < now() - interval '25 hours'))::int as stuck
         from ops.mail m
         where m.brand_id = s.brand_id and m.connection_id = s.connection_id
           and m.state in ('queued', 'sending', 'uncertain', 'failed')) m
       where m.failed > 0 or m.stuck > 0 order by m.stuck desc, b.slug, c.name limit ${NAMED_MAX}`,
    );
    return rows.flatMap(({ brand, name, failed, stuck }): Finding[] => {
      const list = `npx nightshift mail list --brand ${brand} --connection ${name}`;
      return [
        ...(stuck > 0
          ? [
              failure(
                `${count(stuck, 'letter')} of ${name} of ${brand} wait for more than a day.`,
                `${list}; then mail retry ID`,
              ),
            ]
          : []),
        ...(failed > 0
          ? [
              warning(
                `${count(failed, 'letter')} of ${name} of ${brand} failed within 7 days.`,
                `${list} --state failed`,
              ),
            ]
          : []),
      ];
    });
  },
};

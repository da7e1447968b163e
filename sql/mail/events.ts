/**
 * The events of one letter, as SQL. In the order of the index that has them, and by a range: then that index is as good as
 * any other one even where PostgreSQL believes the table to be empty, and the only one that is in order.
 */
export function eventsOf(brand: string, connection: string, id: string): string {
  return `select e.* from fact.mail_events e
    where e.brand_id = ${brand} and e.connection_id = ${connection} and e.mail_id >= ${id} and e.mail_id <= ${id}
    order by e.brand_id, e.connection_id, e.mail_id`;
}

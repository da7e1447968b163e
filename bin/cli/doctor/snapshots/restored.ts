/** Whether copies of persons stay longer than they should: restored schemas and databases, and snapshots that are kept against the rules. */
import { type Copy, dropStatement, restoredCopies } from '#sql/snapshots/holding.ts';
import { type Check, NAMED_MAX, named, warning } from '../check.ts';

const DAY_MS = 86_400_000;

/** A snapshot that a person keeps, or that alone is left, and that goes because it holds a person who was erased. */
type Going = { id: string; brand: string; until: Date; isPinned: boolean; total: number };

const GOING = `
  select s.id, s.brand_slug as brand, k.until, s.pinned_at is not null as "isPinned", count(*) over ()::int as total
  from ops.snapshots s
  join (select brand_id, snapshot_id, max(until) as until from ops.snapshot_keeps where position <= 3 group by 1, 2) k
    on k.brand_id = s.brand_id and k.snapshot_id = s.id
  where k.until < now() + interval '30 days'
  order by k.until, s.id limit ${NAMED_MAX}`;

export const restored: Check = {
  name: 'copies of persons',
  async run({ db }) {
    const old = (await restoredCopies(db)).filter(isOld);
    const { rows } = await db.query<Going>(GOING);
    return [
      ...named(old, old.length, (copy) => warning(whatIs(copy), dropCommand(copy))),
      ...named(rows, rows[0]?.total, ({ id, brand, until, isPinned }) =>
        warning(
          `snapshot ${id} of ${brand}, ${isPinned ? 'which is pinned' : 'the newest or the newest verified one'}, holds a person who was erased, and expires on ${until.toISOString().slice(0, 10)}`,
          isPinned
            ? `restore it, or unpin it: npx nightshift snapshots unpin ${id}`
            : `npx nightshift snapshots create --brand ${brand} --wait && npx nightshift snapshots verify --latest --brand ${brand}`,
        ),
      ),
    ];
  },
};

/** A schema is to look at for a day; a database may stay, as long as nobody is erased. */
function isOld({ kind, restoredAt, erasedAt }: Copy): boolean {
  if (restoredAt === null) return true;
  if (kind === 'schema') return restoredAt.getTime() < Date.now() - DAY_MS;
  return erasedAt !== null && restoredAt.getTime() <= erasedAt.getTime();
}

function whatIs({ kind, name, brand, restoredAt, erasedAt }: Copy): string {
  const of = `rows of a snapshot${brand === null ? '' : ` of ${brand}`}`;
  if (kind === 'schema')
    return `schema ${name} has been there for more than a day, with ${of}: no erasure reaches it`;
  return `database ${name} has ${of}, restored at ${restoredAt?.toISOString()}, and somebody was erased at ${erasedAt?.toISOString()}: it holds that person`;
}

function dropCommand(copy: Copy): string {
  return copy.kind === 'schema' ? dropStatement(copy) : `in psql: ${dropStatement(copy)}`;
}

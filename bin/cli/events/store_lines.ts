/**
 * Stores the events of a file in one transaction, so that a file that is interrupted, or has a fault, leaves nothing. While
 * PostgreSQL takes a batch the next one is read and made ready.
 */
import type { Db, Tx } from '#sql/db/pool.ts';
import { type Event, readEvent, saidOf } from '#sql/events/event.ts';
import { lockEvents } from '#sql/events/lock.ts';
import {
  BATCH_MAX,
  type Batch,
  batchOf,
  makeMonths,
  openEvents,
  type Storing,
  storeEvents,
} from '#sql/events/store.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { FileInvalid, NAMED_MAX } from '../shared/csv.ts';
import type { Line } from './lines.ts';

export const LINES_MAX = 5_000_000;
const SPLIT_HINT = 'Split it, such as by split --lines=1000000 <file>, and import the parts.';
/** The sender of standard input may be slow. */
const IDLE = '10min';

export type Imported = {
  events: number;
  stored: number;
  known: number;
  conflicts: number;
  invalid: number;
  /** The first of them, each with its line. */
  faults: string[];
  conflicting: string[];
};

export type Importing = {
  sealer: Sealer;
  brandId: string;
  /** Of events that name none. */
  retailer?: string | undefined;
  /** What is right is stored all the same. */
  skipsInvalid: boolean;
  now: Date;
  onProgress?(so: Imported): void;
};

/** A batch that is being filled; `at`: the line of each event. */
type Filling = { events: Event[]; at: number[] };

/** With a fault nothing is stored of what follows it; the caller rolls back what was. */
export async function storeLines(
  db: Pick<Db, 'transaction'>,
  tx: Tx,
  { sealer, brandId, retailer, skipsInvalid, now, onProgress }: Importing,
  pages: AsyncIterable<readonly Line[]>,
): Promise<Imported> {
  await tx.query(`select set_config('idle_in_transaction_session_timeout', '${IDLE}', true)`);
  await lockEvents(tx, brandId);
  const storing = await openEvents(tx, sealer, brandId, now);
  const so: Imported = {
    events: 0,
    stored: 0,
    known: 0,
    conflicts: 0,
    invalid: 0,
    faults: [],
    conflicting: [],
  };
  const made = new Set<string>();
  let under_way: Promise<void> = Promise.resolve();
  const flush = async ({ events, at }: Filling) => {
    const isWanted = events.length > 0 && (so.invalid === 0 || skipsInvalid);
    const batch = isWanted && batchOf(storing, events);
    await under_way;
    if (!batch) return;
    under_way = store(db, tx, { storing, batch, at, so, made });
    under_way.catch(() => {}); // awaited with the next batch
  };
  let filling: Filling = { events: [], at: [] };
  try {
    for await (const page of pages) {
      for (const line of page) {
        const event = eventOf(line, storing, so, retailer);
        if (event === undefined) continue;
        filling.events.push(event);
        filling.at.push(line.line);
        if (filling.events.length < BATCH_MAX) continue;
        await flush(filling);
        filling = { events: [], at: [] };
        onProgress?.(so);
      }
      if (so.events > LINES_MAX)
        throw new FileInvalid('The file', [`it has more than ${LINES_MAX} events`], SPLIT_HINT);
    }
    await flush(filling);
  } catch (error) {
    await under_way.catch(() => {}); // what it writes behind a rollback would stay
    throw error;
  }
  await under_way;
  return so;
}

function eventOf(
  { line, record, fault }: Line,
  storing: Storing,
  so: Imported,
  retailer?: string,
): Event | undefined {
  if (record === undefined && fault === undefined) return undefined;
  so.events += 1;
  const found = fault === undefined ? readEvent(record, storing) : [];
  if (!Array.isArray(found))
    return retailer === undefined ? found : { ...found, retailer: found.retailer ?? retailer };
  so.invalid += 1;
  for (const said of fault === undefined ? found.map((one) => saidOf(`line ${line}`, one)) : [fault])
    if (so.faults.length < NAMED_MAX) so.faults.push(said);
  return undefined;
}

async function store(
  db: Pick<Db, 'transaction'>,
  tx: Tx,
  {
    storing,
    batch,
    at,
    so,
    made,
  }: { storing: Storing; batch: Batch; at: readonly number[]; so: Imported; made: Set<string> },
): Promise<void> {
  await makeMonths(db, batch.events, made);
  const { stored, known, conflicts } = await storeEvents(tx, storing, batch);
  so.stored += stored;
  so.known += known;
  so.conflicts += conflicts.length;
  for (const { index, id } of conflicts)
    if (so.conflicting.length < NAMED_MAX) so.conflicting.push(`line ${at[index]}, event ${id}`);
}

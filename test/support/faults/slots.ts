/** Schedules of every kind on a clock that runs faster than ours, and what must have become of each of their slots. */
import { Temporal } from '@js-temporal/polyfill';
import { insertSchedule } from '#sql/schedules/schedules.ts';
import type { TestDb } from '../db/db.ts';
import { inForm } from '../property.ts';
import { referenceSlots } from '../schedules/reference.ts';
import { check, type Findings } from './checker.ts';
import type { History } from './history.ts';

const SCHEDULES = [
  { expression: '* * * * *', timeZone: 'UTC', catchUp: 'all', catchUpMax: 100 },
  { expression: '*/2 * * * *', timeZone: 'Asia/Kolkata', catchUp: 'latest', catchUpMax: 1 },
  { expression: '*/3 * * * *', timeZone: 'America/New_York', catchUp: 'skip', catchUpMax: 1 },
  { expression: '*/5 * * * *', timeZone: 'Australia/Lord_Howe', catchUp: 'all', catchUpMax: 100 },
] as const;

const BODY_MS = inForm(20, 500);

/** Adds them as of an instant; from there on each slot counts. */
export async function addSchedules(db: TestDb, at: Date): Promise<void> {
  for (const [n, given] of SCHEDULES.entries()) {
    const name = `s${n}`;
    const owner = {
      brandId: null,
      connectionId: null,
      task: 'tick',
      payload: { name, ms: BODY_MS },
      overlap: 'queue',
    } as const;
    await db.transaction((tx) => insertSchedule(tx, { ...given, ...owner, name }, { at, by: 'test' }));
  }
}

/**
 * Every slot up to where its schedule has been decided has one row of the ledger, by a second library that works out
 * slots, and one payment if it was queued; `missed` have none. To be asked when no scheduler runs and no job is left.
 */
export async function checkSlots(db: TestDb, history: History, from: Date): Promise<Findings> {
  const found = await check(db, history);
  const lost: string[] = [];
  const schedules = await db.rows<{ id: number; name: string; expression: string; zone: string; to: Date }>(
    'select id, name, expression, time_zone as zone, decided_to as to from ops.schedules',
  );
  const paid = new Set(await db.column('select distinct label from public.effects'));
  let jobs = 0;
  for (const { id, name, expression, zone, to } of schedules) {
    const [begin, end] = [from, to].map((at) => Temporal.Instant.fromEpochMilliseconds(at.getTime()));
    if (!begin || !end) continue;
    const expected = referenceSlots(expression, zone, begin, end).map((slot) => new Date(slot).toISOString());
    const ledger = await db.rows<{ slot: Date; outcome: string }>(
      'select slot, outcome from ops.schedule_slots where schedule_id = $1 and slot <= $2',
      [id, to],
    );
    const outcomes = new Map(ledger.map(({ slot, outcome }) => [slot.toISOString(), outcome]));
    jobs += expected.length;
    for (const slot of expected) {
      const label = `${name} ${slot}`;
      const outcome = outcomes.get(slot);
      const isRight = outcome === 'queued' ? paid.has(label) : outcome === 'missed' && !paid.has(label);
      if (!isRight) lost.push(`${label}: ${outcome}`);
      paid.delete(label);
    }
  }
  return { ...found, jobs, lost, doubled: [...found.doubled, ...[...paid].map(String)] };
}

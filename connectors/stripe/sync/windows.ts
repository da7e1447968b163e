/**
 * Reads windows of `created`, several at once. A list runs from new to old, so after each page its window ends at the
 * oldest object read, with its complete second, because others may share it. An idle reader takes the older half of a
 * window. A cursor is valid in its window only: to one from another window Stripe answers with an empty page, and the
 * rest would be lost.
 */
import type { Fields } from '../../kit/fields.ts';
import { ObjectMissing } from '../api/answers.ts';
import { isSecond } from '../api/list.ts';
import type { Window } from './sync_state.ts';

const READERS_MAX = 4;
/** The smallest window that is split. */
const PARTED_SECONDS_MIN = 60 * 60;

export type RequestedWindow = Window & { after?: string };

type Answer = { objects: readonly Fields[]; hasMore: boolean };

/** `bound` is the requested end, `before` the end of what is left. */
type Walk = Window & { bound: number; after?: string };

type Read<A> = { walk: Walk; answer: A };

/** Pages that have arrived, at most one of each reader, with the windows that remain once they are stored. */
export async function* readWindows<A extends Answer>(
  ask: (requested: RequestedWindow) => Promise<A>,
  windows: readonly Window[],
): AsyncGenerator<{ answers: A[]; left: Window[] }> {
  const waiting: Walk[] = windows.map(begin);
  const run = new Map<Walk, Promise<void>>();
  const arrived: Read<A>[] = [];
  const fill = () => {
    while (waiting.length > 0 && run.size < READERS_MAX) {
      const walk = waiting.shift() as Walk;
      const arrival = requestOn(ask, walk).then((answer) => void arrived.push({ walk, answer }));
      arrival.catch(() => {}); // handled once all arrived pages are stored
      run.set(walk, arrival);
    }
  };
  for (fill(); run.size > 0; ) {
    if (arrived.length === 0) await Promise.race(run.values());
    const read = arrived.splice(0);
    for (const { walk } of read) run.delete(walk);
    waiting.unshift(...restsOf(read, run.size + waiting.length));
    fill(); // before the pages are stored, so that the next ones are requested meanwhile
    const left = [...waiting, ...run.keys()].map(({ from, before }) => ({ from, before }));
    yield { answers: read.map(({ answer }) => answer), left };
  }
}

/** The remaining windows of the readers; `busy` others keep readers from being idle. */
function restsOf<A extends Answer>(read: readonly Read<A>[], busy: number): Walk[] {
  let walks = busy + read.filter(({ answer }) => answer.hasMore).length;
  return read.flatMap(({ walk, answer }) => {
    const rest = restOf(walk, answer, walks < READERS_MAX);
    if (rest.length > 1) walks++;
    return rest;
  });
}

function begin({ from, before }: Window): Walk {
  return { from, before, bound: before };
}

/** Stripe refuses a cursor whose object is deleted: the rest of its window is read without one. */
async function requestOn<A>(ask: (requested: RequestedWindow) => Promise<A>, walk: Walk): Promise<A> {
  const { from, bound, after } = walk;
  try {
    return await ask({ from, before: bound, ...(after !== undefined && { after }) });
  } catch (error) {
    if (after === undefined || !(error instanceof ObjectMissing)) throw error;
    walk.bound = walk.before;
    return ask({ from, before: walk.before });
  }
}

function restOf(walk: Walk, { objects, hasMore }: Answer, isIdle: boolean): Walk[] {
  const last = objects.at(-1);
  if (!hasMore || last === undefined) return [];
  const { from } = walk;
  // After an object without a valid creation time only the cursor leads on.
  const isWithin = isSecond(last.created) && last.created >= from;
  const before = isWithin ? Math.min(walk.before, Number(last.created) + 1) : walk.before;
  // A page within one second moves nothing; splitting it would restart that second for ever.
  if (!isIdle || before === walk.before || before - from < PARTED_SECONDS_MIN)
    return [{ ...walk, before, after: String(last.id) }];
  const middle = Math.floor((from + before) / 2);
  return [begin({ from: middle, before }), begin({ from, before: middle })];
}

/**
 * Extracts from events what concerns one collection. An event contains its object as it was then, in another API
 * version, so it only says that the object changed. Events are not kept in memory: there may be any number of them,
 * each with a complete object.
 */
import type { Fields } from '../../kit/fields.ts';
import { below } from '../api/coerce.ts';
import type { Changed, Noted } from '../api/fetch_by_id.ts';
import { isSecond } from '../api/list.ts';
import { OVERLAP_MS } from './backfill.ts';
import type { Collection } from './collection.ts';
import type { Window } from './sync_state.ts';

export const OVERLAP_SECONDS = OVERLAP_MS / 1000;
/**
 * The number of event ids that a run keeps for the next one, which lists these events again; any further ones are
 * handled twice.
 */
const REMEMBERED_MAX = 500;
/** Longer than the overlap: a position may be somewhat before the end of what was heard. */
const REMEMBERED_SECONDS = 2 * OVERLAP_SECONDS;

export type Listening = Window & {
  /**
   * The instant up to which events date objects, which are read in their current state and not as of the window's end.
   */
  eventsBefore: number;
  /** Ids of events that an earlier run has handled. */
  known: ReadonlySet<string>;
};

export type Heard = {
  changed: Changed;
  /** Events whose objects must be requested. */
  owners: Changed;
  /** New objects. */
  created: number;
  /** Events that no earlier run has handled. */
  fresh: number;
  /** Ids of events that the next run lists again. */
  recent: string[];
};

export type Listener = { hear(event: Fields): void; heard(): Heard };

/** `listedBefore`: the end of the listed time, which other collections may need to be later. */
export function listener(
  collection: Collection,
  { from, before, eventsBefore, known }: Listening,
  listedBefore = eventsBefore,
): Listener {
  const types = new Set(collection.events);
  const changed: Changed = new Map();
  const owners: Changed = new Map();
  const fresh = new Set<string>();
  const freshOwners = new Set<string>();
  const recent: string[] = [];
  let [created, count] = [0, 0];

  const note = (event: Fields): boolean => {
    const data = below(event, 'data');
    const object = below(data, 'object');
    const sign = signOf(event, from, eventsBefore);
    const isNew = !known.has(String(event.id));
    if (object.object !== collection.object) {
      const reported = collection.reportedBy?.(object, below(data, 'previous_attributes')) ?? { id: null };
      if (!('id' in reported)) return noteSign(owners, freshOwners, reported.owner, sign, isNew);
      return noteSign(changed, fresh, reported.id, sign, isNew);
    }
    if (typeof object.id !== 'string') return false;
    const isCreated = typeof object.created === 'number' && object.created >= from && object.created < before;
    if (isCreated && !changed.has(object.id)) created++;
    return noteSign(changed, fresh, object.id, sign, isNew);
  };

  return {
    hear(event) {
      const at = event.created;
      const isOutside =
        isSecond(at) && at < listedBefore && (at >= eventsBefore || at < from - OVERLAP_SECONDS);
      if (isOutside) return;
      const type = String(event.type);
      const isHeard = collection.movedBy ? collection.movedBy(type) : types.has(type) && note(event);
      if (!isHeard) return;
      if (!known.has(String(event.id))) count++;
      const isRecent = isSecond(at) && at >= before - REMEMBERED_SECONDS && at < before;
      if (isRecent && typeof event.id === 'string' && recent.length <= REMEMBERED_MAX) recent.push(event.id);
    },
    heard: () => ({
      changed: onlyOf(changed, fresh),
      owners: onlyOf(owners, freshOwners),
      created,
      fresh: count,
      recent: recent.length > REMEMBERED_MAX ? [] : recent,
    }),
  };
}

/** An event without a time, or with one outside of the listed time, still reports a change. */
function signOf(event: Fields, from: number, before: number): Noted {
  const reported = Number(event.created);
  const at = Number.isSafeInteger(reported) && reported >= 0 && reported < before ? reported : 0;
  const isNew = at >= from; // older ones were read before, unless they came late
  return { at, first: isNew ? at : undefined, isDeleted: String(event.type).endsWith('.deleted') };
}

function noteSign(
  changed: Changed,
  fresh: Set<string>,
  id: string | null,
  sign: Noted,
  isNew: boolean,
): boolean {
  if (id === null) return false;
  if (isNew) fresh.add(id);
  addSign(changed, id, sign);
  return true;
}

/** The newest report of an object counts, and the first unread one. */
export function addSign(changed: Changed, id: string, sign: Noted): void {
  const noted = changed.get(id) ?? sign;
  const first = Math.min(sign.first ?? Infinity, noted.first ?? Infinity);
  changed.set(id, {
    at: Math.max(sign.at, noted.at),
    first: first === Infinity ? undefined : first,
    isDeleted: sign.isDeleted || noted.isDeleted,
  });
}

/** Objects that only handled events report have been read already. */
function onlyOf(changed: Changed, fresh: ReadonlySet<string>): Changed {
  return new Map([...changed].filter(([id]) => fresh.has(id)));
}

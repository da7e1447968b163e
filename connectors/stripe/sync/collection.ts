/** A collection is a list of Stripe that we keep a copy of, and how its objects become rows. */
import { pack } from '#sql/load/pack.ts';
import type { Deletion, Item } from '#sql/load/table.ts';
import type { Fields } from '../../kit/fields.ts';
import { completeResult, contentOf as contentOfResults, type Result } from '../../kit/records.ts';
import type { Page as AnyPage, Target } from '../../kit/stream.ts';
import type { Params, Stripe } from '../api/client.ts';

/** How we came to know an object. */
export type Seen = {
  /** When it was asked for: Stripe gives no version of an object. */
  sentAt: Date;
  /** When the change happened that made us ask; absent where nothing tells. */
  changedAt?: Date | undefined;
  /** Since when it may have been something else again that nobody saw: it changed, and changed again. */
  unseenFrom?: Date | undefined;
};

/** The id of an object of ours, or of the owner of some that have to be asked for. */
export type Told = { id: string | null } | { owner: string | null };

export type Collection = {
  /** As in the address, `/v1/charges`, and in the name of the stream. */
  name: string;
  /** As in the field `object`. */
  object: string;
  target: Target;
  /** Of the list, besides its bounds. */
  params?: Params;
  /** Fields to be expanded in each object. */
  expand?: readonly string[];
  /** Types of events after which an object has to be read again; Stripe takes 20 at most. */
  events: readonly string[];
  /**
   * No event tells of its objects, but events of these types may go along with new ones: while there is none, and
   * the balance is theirs, nothing is new.
   */
  movedBy?(type: string): boolean;
  /** Few enough that each reconciliation lists them all: fields of old ones change without an event. */
  listsAllWeekly?: boolean;
  /** Its versions are kept, each from the instant of its change on. */
  isDated?: boolean;
  /** Fields that are not kept, of objects that are set aside either: who the buyer is, secrets, signed links. */
  leftOut?: ReadonlySet<string>;
  /** Objects of it can be deleted. */
  canVanish?: boolean;
  /** What an event about an object of another kind tells of; `before` are the fields that changed, as they were. */
  toldBy?(other: Fields, before: Fields): Told | undefined;
  /** The parameter by which its list gives those of one owner. */
  ownedBy?: string;
  /** Adds what did not come with an object. */
  complete?(stripe: Stripe, object: Fields): Promise<Fields>;
  /** Throws `InvalidField` for an object that cannot be stored. */
  toItem(object: Fields, seen: Seen): Item;
};

/** Payouts and tallies read its rows, so nothing is packed before it is loaded: 400 objects are not many. */
export type Page = Omit<AnyPage, 'items'> & { items: readonly Item[] };

export type Content = Pick<Page, 'items' | 'rejected'> & Required<Pick<Page, 'deletions'>>;

export function pathOf({ name }: Collection): string {
  return `/v1/${name}`;
}

/** Of one object. Stripe has no object whose id is not a well-formed text. */
export function pathTo(name: string, id: unknown): string {
  return `/v1/${name}/${encodeURIComponent(String(id).toWellFormed())}`;
}

export async function contentOf(
  stripe: Stripe,
  collection: Collection,
  found: readonly { object: Fields; seen: Seen }[],
): Promise<Content> {
  const results: Result<Item>[] = [];
  const deletions: Deletion[] = [];
  for (const { object, seen } of found) {
    if (object.deleted === true && typeof object.id === 'string')
      deletions.push({ id: object.id, deletedAt: seen.sentAt });
    else results.push(await itemOf(stripe, collection, object, seen));
  }
  return { ...contentOfResults(results), deletions };
}

function itemOf(stripe: Stripe, collection: Collection, object: Fields, seen: Seen): Promise<Result<Item>> {
  const { complete, toItem, target } = collection;
  return completeResult(
    object,
    {
      complete: async () => (await complete?.(stripe, object)) ?? object,
      make(whole) {
        const item = toItem(whole, seen);
        pack(target, item); // throws if it cannot be stored
        return item;
      },
    },
    collection,
  );
}

/** A collection is a list of Stripe that we keep a copy of, with the rows of its objects. */
import { pack } from '#sql/load/pack.ts';
import type { Deletion, Item } from '#sql/load/table.ts';
import type { Fields } from '../../kit/fields.ts';
import { completeResult, contentOf as contentOfResults, type Result } from '../../kit/records.ts';
import type { Page as AnyPage, Target } from '../../kit/stream.ts';
import type { Params, Stripe } from '../api/client.ts';

/** How an object was read. */
export type Seen = {
  /** The time of the request: Stripe's objects have no versions. */
  sentAt: Date;
  /** The time of the reported change; absent without a report. */
  changedAt?: Date | undefined;
  /** Since when it may have had other, unseen states: it changed several times. */
  unseenFrom?: Date | undefined;
};

/** The id of an object of this collection, or of the owner of objects that must be requested. */
export type Reported = { id: string | null } | { owner: string | null };

export type Collection = {
  /** The name in the address, `/v1/charges`, and in the name of the stream. */
  name: string;
  /** The value of the field `object`. */
  object: string;
  target: Target;
  /** Parameters of the list, besides its bounds. */
  params?: Params;
  /** Fields to expand in each object. */
  expand?: readonly string[];
  /** Types of events after which an object must be read again; Stripe accepts 20 at most. */
  events: readonly string[];
  /**
   * No event reports its objects, but events of these types accompany new ones: without such an event, and with a
   * matching balance, nothing is new.
   */
  movedBy?(type: string): boolean;
  /** Few enough that each reconciliation lists them all: fields of old ones change without an event. */
  listsAllWeekly?: boolean;
  /** Versions are kept, each from the instant of its change on. */
  isDated?: boolean;
  /** Fields that are not kept, not even of quarantined objects: personal data, secrets, signed links. */
  leftOut?: ReadonlySet<string>;
  /** Objects of it can be deleted. */
  canVanish?: boolean;
  /**
   * The objects that an event about another kind of object affects; `before` holds the old values of changed fields.
   */
  reportedBy?(other: Fields, before: Fields): Reported | undefined;
  /** The list parameter that selects the objects of one owner. */
  ownedBy?: string;
  /** Adds parts that did not come with an object. */
  complete?(stripe: Stripe, object: Fields): Promise<Fields>;
  /** Throws `InvalidField` for an object that cannot be stored. */
  toItem(object: Fields, seen: Seen): Item;
};

/** Payouts and day sums read its rows, so they are packed only on load: 400 objects are few. */
export type Page = Omit<AnyPage, 'items'> & { items: readonly Item[] };

export type Content = Pick<Page, 'items' | 'rejected'> & Required<Pick<Page, 'deletions'>>;

export function pathOf({ name }: Collection): string {
  return `/v1/${name}`;
}

/** The address of one object. Stripe has no object whose id is not a well-formed text. */
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

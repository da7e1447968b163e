import { KINDS, type Kind } from '../kinds.ts';
import type { Book, Source, StripeObject } from '../objects.ts';
import type { Params } from './query.ts';
import { missing } from './stripe_error.ts';

/**
 * Stripe refuses a filter by an object that the account does not have. A scenario may name objects
 * that it does not give: these are there too.
 */
export function assertNamesKnown(kind: Kind, params: Params, book: Book, now: number): void {
  const listed = book.source(kind.name);
  for (const [param, value] of Object.entries(params)) {
    const filter = kind.filters[param];
    const names = KINDS.get(filter?.names ?? '');
    if (!filter || !names || typeof value !== 'string') continue;
    const test = filter.read(value, param);
    const source = book.source(names.name);
    const position = source.positionOf(value);
    if (position !== undefined && source.objectAt(position, now)) continue;
    const index = filter.index && listed.positionsWhere(filter.index, value);
    if (index ? index.length === 0 : !isAny(listed, test, now))
      throw missing(names.object, value, param, 400);
  }
}

function isAny(source: Source, test: (object: StripeObject) => boolean, now: number): boolean {
  for (let position = 0; position < source.length; position++) {
    const object = source.objectAt(position, now);
    if (object && test(object)) return true;
  }
  return false;
}

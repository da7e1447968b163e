/**
 * Days or objects that depend on an item without being its own: a customer is new on the day of the
 * first counted order, so an order that appears, vanishes or changes hands moves other days too.
 * The loader runs the query before and after it writes, and marks every pair that only one of the
 * two results has.
 */
import type { Subject } from '../dirty/subject.ts';
import type { NamedStatement } from './statements.ts';

export type Invalidation = {
  /** Only a change in this table has dependents… */
  table: `raw.${string}`;
  /** …and the values of this column, before and after, are the keys of the query. */
  column: string;
  /** The subject of their marks. */
  subject: Subject;
  /** Whether an object of the connection depends on a key; a day by default. */
  names?: 'object';
  /**
   * Pairs (key text, day date) for the keys `$3` of brand `$1` and connection `$2`, in zone `$4`; or (key, object
   * text).
   */
  pairs: NamedStatement;
};

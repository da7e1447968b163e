/**
 * A feed is a list of Shopify in the order of one instant of its objects, which can be read by windows
 * of that instant: collections by their last change, events by when they happened.
 */

import type { Fields } from '../../kit/fields.ts';
import type { Page } from '../../kit/stream.ts';
import type { Shopify } from '../api/client.ts';
import type { RootQuery } from '../api/queries.ts';

export type Content = Pick<Page, 'items' | 'rejected' | 'deletions' | 'target'>;

export type Feed = {
  name: string;
  page: RootQuery;
  /** Absent where Shopify has no count of them: then nothing tells that a row is missing. */
  count?: RootQuery;
  /** Objects to ask for at once; halved when Shopify finds that too much. */
  pageSize: number;
  /** The field of the filter, and the one of the object, that hold the instant. */
  filterField: string;
  instantField: string;
  /** False where Shopify does not sort by the instant. */
  isSorted?: boolean;
  /** Further terms of the filter. */
  terms?: string;
  /** What the objects of a page become; more than one where they go into several tables. */
  contents(shopify: Shopify, nodes: readonly Fields[]): Promise<readonly Content[]>;
};

/**
 * A feed is a list of Shopify ordered by one instant of its objects, which can be read in windows of that instant:
 * collections by their last change, events by their time.
 */

import type { Fields } from '../../kit/fields.ts';
import type { Page } from '../../kit/stream.ts';
import type { Shopify } from '../api/client.ts';
import type { RootQuery } from '../api/queries.ts';

export type Content = Pick<Page, 'items' | 'rejected' | 'deletions' | 'target'>;

export type Feed = {
  name: string;
  page: RootQuery;
  /** Absent if Shopify has no count: then a missing row goes unnoticed. */
  count?: RootQuery;
  /** Page size; halved if Shopify finds it too large. */
  pageSize: number;
  /** The filter field and the object field of the instant. */
  filterField: string;
  instantField: string;
  /** False if Shopify does not sort by the instant. */
  isSorted?: boolean;
  /** Further terms of the filter. */
  terms?: string;
  /** The pages made of the objects of a page; several if they go into several tables. */
  contents(shopify: Shopify, nodes: readonly Fields[]): Promise<readonly Content[]>;
};

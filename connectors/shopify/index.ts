/** The streams of a shop, in the order in which they are read. */
import type { Stream } from '../stream.ts';
import { customersStream } from './customers.ts';
import { deletionsStream } from './deletions.ts';
import { ordersStream } from './orders.ts';
import { productsStream } from './products.ts';
import { shopStream } from './shop.ts';

export const shopifyStreams: readonly Stream[] = [
  shopStream,
  productsStream,
  customersStream,
  ordersStream,
  deletionsStream,
];

/** The streams of a shop, in the order in which they are read. */
import type { Stream } from '../kit/stream.ts';
import { customersStream } from './streams/customers.ts';
import { ordersStream } from './streams/orders.ts';
import { productsStream } from './streams/products.ts';
import { shopStream } from './streams/shop.ts';
import { deletionsStream } from './sync/deletions.ts';

export const shopifyStreams: readonly Stream[] = [
  shopStream,
  productsStream,
  customersStream,
  ordersStream,
  deletionsStream,
];

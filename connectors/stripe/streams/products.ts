/** Products, which have prices. */
import { flag, instant, text } from '../api/columns.ts';
import { stripeStream } from '../stream.ts';

export const productsStream = stripeStream({
  name: 'products',
  object: 'product',
  personal: null,
  scopes: ['rak_product_read', 'rak_event_read'],
  canVanish: true,
  events: ['product.created', 'product.updated', 'product.deleted'],
  columns: { name: text('name'), active: flag('active'), created_at: instant('created') },
});

/** The shop itself: its currency and zone can change, so it is read with every sync. */
import { z } from 'zod';
import { type Item, table } from '#sql/load/table.ts';
import { currency, type Fields, flag, instant, payloadOf, text } from '../../kit/fields.ts';
import { contentOf } from '../../kit/records.ts';
import { defineStream, type Page, type StreamContext } from '../../kit/stream.ts';
import { idOf } from '../api/gid.ts';
import { shopQuery } from '../api/queries.ts';
import { read } from '../sync/collection.ts';
import { openRun } from '../sync/sync_run.ts';

export const shops = table({
  name: 'raw.shopify_shops',
  key: ['id'],
  digested: true,
  columns: {
    id: 'text',
    name: 'text',
    domain: 'text',
    currency: 'text',
    time_zone: 'text',
    taxes_included: 'boolean',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

const shopSchema = z.object({ shop: z.record(z.string(), z.unknown()) });
const needs = { name: 'shopify.shop', scopes: [] } as const;

const target = { tables: [shops] };

export const shopStream = defineStream({ ...needs, ...target, provider: 'shopify', pages });

async function* pages(context: StreamContext): AsyncGenerator<Page> {
  const { shopify } = await openRun(context, needs);
  const { shop } = await shopify.ask(shopQuery, {}, shopSchema);
  const position = { readAt: context.now().toISOString() };
  yield { phase: 'changes', ...contentOf([read({ target, toItem }, shop)]), position, announced: 1 };
}

function toItem(shop: Fields): Item {
  const id = idOf(shop);
  const row = {
    id,
    name: text(shop, 'name'),
    domain: text(shop, 'myshopifyDomain'),
    currency: currency(shop, 'currencyCode'),
    time_zone: text(shop, 'ianaTimezone'),
    taxes_included: flag(shop, 'taxesIncluded'),
    created_at: instant(shop, 'createdAt'),
    payload: payloadOf(shop, new Set()),
  };
  return { id, changedAt: instant(shop, 'updatedAt'), rows: { [shops.name]: [row] } };
}

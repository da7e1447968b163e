/** The shop itself: its currency and zone can change, so it is read with every sync. */
import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Item } from '#sql/load/table.ts';
import { recordTable, rest } from '../../kit/columns.ts';
import { defineStream } from '../../kit/define_stream.ts';
import { type Fields, instant as instantOf } from '../../kit/fields.ts';
import { contentOf } from '../../kit/records.ts';
import type { Page, StreamContext } from '../../kit/stream.ts';
import { parseState } from '../../kit/sync_run.ts';
import { currency, flag, id, instant, text } from '../api/columns.ts';
import { idOf } from '../api/gid.ts';
import { shopQuery } from '../api/queries.ts';
import { read } from '../sync/collection.ts';
import { openRun } from '../sync/sync_run.ts';

export const shops = recordTable({
  name: 'raw.shopify_shops',
  key: ['id'],
  digested: true,
  personal: null,
  columns: {
    id,
    name: text('name'),
    domain: text('myshopifyDomain'),
    currency: currency('currencyCode'),
    time_zone: text('ianaTimezone'),
    taxes_included: flag('taxesIncluded'),
    created_at: instant('createdAt'),
    payload: rest(),
  },
});

const DIGEST_CHARS = 32;
const shopSchema = z.object({ shop: z.record(z.string(), z.unknown()) });
const needs = { name: 'shopify.shop', scopes: [] } as const;

const target = { tables: [shops] };

export const shopStream = defineStream({ ...needs, ...target, provider: 'shopify', pages });

const stateSchema = z.object({ digest: z.string().optional() });

/** In a run of all streams the look reads it, and it is stored only if it differs from last time. */
async function* pages(context: StreamContext): AsyncGenerator<Page> {
  const { shopify, look } = await openRun(context, needs);
  const { shop } = look ?? (await shopify.ask(shopQuery, {}, shopSchema));
  const digest = hash('sha256', JSON.stringify(shop)).slice(0, DIGEST_CHARS);
  const isSame = look !== undefined && parseState(stateSchema, context.position).digest === digest;
  const content = isSame ? { items: [], rejected: [] } : contentOf([read({ target, toItem }, shop)]);
  // What is quarantined is read again, because another release may understand it.
  const known = content.rejected.length === 0 ? { digest } : {};
  const position = { readAt: context.now().toISOString(), ...known };
  yield { phase: 'changes', ...content, position, announced: 1 };
}

function toItem(shop: Fields): Item {
  const rows = { [shops.name]: [shops.rowOf(shop)] };
  return { id: idOf(shop), changedAt: instantOf(shop, 'updatedAt'), rows };
}

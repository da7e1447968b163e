import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  buildSchema,
  type GraphQLCompositeType,
  type GraphQLField,
  getNamedType,
  Kind,
  parse,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { expect, test } from 'vitest';
import { streams } from '#connectors/providers.ts';
import * as ofStreams from '#connectors/shopify/api/queries.ts';
import * as ofWebhooks from '#connectors/shopify/api/webhook_queries.ts';
import { shopify } from '#connectors/shopify/provider.ts';
import type { CollectionStream } from '#connectors/shopify/stream.ts';
import { lookQuery, type ShopifyStream } from '#connectors/shopify/sync/look.ts';

type Access = {
  types: Record<
    string,
    {
      requiredAccess?: string;
      fields?: Record<string, string>;
      deprecatedFields?: string[];
      protectedCustomerData?: string[];
    }
  >;
};

const queries = { ...ofStreams, ...ofWebhooks };
const contracts = join(import.meta.dirname, '../../sandbox/shopify/graphql');
const contract = (file: string) => gunzipSync(readFileSync(join(contracts, file))).toString();
const schema = buildSchema(contract('admin-2026-10.graphql.gz'), { assumeValidSDL: true });
const { types } = JSON.parse(contract('admin-2026-10-access.json.gz')) as Access;

const scopesOf = (name: string) => {
  const stream = streams.find((one) => one.name === name);
  return [...(stream?.scopes ?? []), ...(stream?.scopesOptional ?? [])];
};
const orders = scopesOf('shopify.orders');
const customers = scopesOf('shopify.customers');
const products = scopesOf('shopify.products');
const deletions = scopesOf('shopify.deletions');
const bulk = (text: string) => ({ name: 'bulk', text, cost: 0 });
const filter = "created_at:>='2026-01-01T00:00:00Z'";

/** Every query, with the scopes of the stream that asks it. */
const all: [string, ofStreams.Query, readonly string[]][] = [
  ['access', queries.accessQuery, []],
  ['shop', queries.shopQuery, []],
  ['webhook subscriptions', queries.webhookSubscriptions, []],
  ['webhook create', queries.webhookCreate, []],
  ['webhook update', queries.webhookUpdate, []],
  ['webhook delete', queries.webhookDelete, []],
  ['orders page', queries.ordersPage(false), orders],
  ['order lines', queries.orderLines, orders],
  ['order ledger', queries.orderLedger, orders],
  ['orders count', queries.ordersCount, orders],
  ['bulk orders', bulk(queries.bulkOrders(false)(filter)), orders],
  ['all orders', bulk(queries.bulkOrders(false)('')), orders],
  ['customers page', queries.customersPage(true), customers],
  ['customers count', queries.customersCount, customers],
  ['bulk customers', bulk(queries.bulkCustomers(true)('')), customers],
  ['products page', queries.productsPage(true), products],
  [
    'products page without locations',
    queries.productsPage(false),
    scopesOf('shopify.products').filter((s) => s !== 'read_locations'),
  ],
  ['product variants', queries.productVariants(true), products],
  ['items page', queries.itemsPage, products],
  ['orders by id', queries.ordersById(false), orders],
  ['journeys by id', queries.journeysById, orders],
  ['customers by id', queries.customersById(true), customers],
  ['products by id', queries.productsById(true), products],
  ['item levels', queries.itemLevels(true), products],
  ['products count', queries.productsCount, products],
  ['bulk products', bulk(queries.bulkProducts(false)('')), products],
  [
    'bulk products without locations',
    bulk(queries.bulkProducts(false)('')),
    products.filter((s) => s !== 'read_locations'),
  ],
  ['events page', queries.eventsPage, deletions],
  ['events count', queries.eventsCount, deletions],
  ['nodes by id', queries.nodesById, deletions],
  [
    'look',
    lookQuery(
      [
        ...[
          queries.ordersPage(false),
          queries.ordersCount,
          queries.customersPage(false),
          queries.customersCount,
        ],
        ...[queries.productsPage(false), queries.productsCount, queries.itemsPage],
        ...[queries.eventsPage, queries.eventsCount],
      ].map((query) => ({
        ...{ query, filter },
        ...(!query.root.endsWith('Count') && {
          instant: query.root === 'events' ? 'createdAt' : 'updatedAt',
        }),
      })),
    ),
    [...deletions, ...products],
  ],
  ['look at nothing but the shop', lookQuery([]), []],
  ['bulk run', queries.bulkRun, []],
  ['bulk operation', queries.bulkOperation, []],
  ['bulk operations', queries.bulkOperations, []],
];

type Selected = { parent: GraphQLCompositeType; field: GraphQLField<unknown, unknown> };

function selected(text: string): Selected[] {
  const info = new TypeInfo(schema);
  const found: Selected[] = [];
  const note = () => {
    const [parent, field] = [info.getParentType(), info.getFieldDef()];
    if (parent && field) found.push({ parent, field });
  };
  visit(parse(text), visitWithTypeInfo(info, { Field: { enter: note } }));
  return found;
}

/** Scopes of a text like "`read_orders` access scope or `read_x` access scope": one of them is enough. */
function oneOf(access: string | undefined): string[] {
  return [...(access?.matchAll(/`([a-z_]+)` access scope/g) ?? [])].map((match) => match[1] ?? '');
}

test('the list of queries is whole', () => {
  const texts = new Set(all.map(([, { text }]) => text));
  const exported = Object.values(queries).filter((one) => typeof one === 'object') as ofStreams.Query[];
  expect(exported.filter(({ text }) => !texts.has(text)).map(({ name }) => name)).toEqual([]);
});

test.each(all)('%s is a valid query of the pinned version', (_, { text }) => {
  expect(validate(schema, parse(text)).map(({ message }) => message)).toEqual([]);
});

test.each(all)('%s selects nothing deprecated and nobody by name', (_, { text }) => {
  const unwanted = selected(text).filter(({ parent, field }) => {
    const { deprecatedFields = [], protectedCustomerData = [] } = types[parent.name] ?? {};
    return field.deprecationReason || [...deprecatedFields, ...protectedCustomerData].includes(field.name);
  });
  expect(unwanted.map(({ parent, field }) => `${parent.name}.${field.name}`)).toEqual([]);
});

test.each(all)('%s needs only scopes that its stream declares', (_, { text }, granted) => {
  const lacking = selected(text).flatMap(({ parent, field }) => {
    const needs = [
      types[parent.name]?.fields?.[field.name],
      types[getNamedType(field.type).name]?.requiredAccess,
    ];
    return needs
      .map(oneOf)
      .filter((scopes) => scopes.length > 0 && !scopes.some((scope) => granted.includes(scope)))
      .map((scopes) => `${parent.name}.${field.name}: ${scopes.join(' or ')}`);
  });
  expect(lacking).toEqual([]);
});

test.each(all.filter(([, { name }]) => name === 'bulk'))(
  '%s keeps the rules of bulk queries',
  (_, { text }) => {
    const document = parse(text);
    const [operation] = document.definitions;
    expect(document.definitions).toHaveLength(1);
    expect(operation?.kind === Kind.OPERATION_DEFINITION && operation.variableDefinitions).toEqual([]);
    expect(operation?.kind === Kind.OPERATION_DEFINITION && operation.selectionSet.selections).toHaveLength(
      1,
    );
    const connections = selected(text).filter(({ field }) =>
      getNamedType(field.type).name.endsWith('Connection'),
    );
    expect(connections.length).toBeLessThanOrEqual(5);
    // A sort key beside a filter has been seen to lose rows.
    expect(text).not.toContain('sortKey');
  },
);

/** What the schema says that a list or a count can be filtered by. */
function filtersOf(root: string): string[] {
  const query = schema
    .getQueryType()
    ?.getFields()
    [root]?.args.find(({ name }) => name === 'query');
  return [...(query?.description?.matchAll(/^ *\| ([a-z_]+) \|/gm) ?? [])].map((match) => match[1] ?? '');
}

const place = {
  access: {
    ...{ shopId: '1', shop: 'Acme', domain: 'acme.myshopify.com', currency: 'USD', timeZone: 'UTC' },
    scopes: [...orders, ...customers, ...products],
    createdAt: new Date('2020-01-01T00:00:00Z'),
  },
  ...{ end: new Date('2026-11-20T06:00:00Z'), now: new Date('2026-11-20T06:01:00Z') },
};

test.each(shopify.streams.filter((stream) => 'wants' in stream) as ShopifyStream[])(
  '$name filters by what its lists and counts know',
  (stream) => {
    const wanted = [...stream.wants({ changesTo: '2026-11-20T05:00:00Z' }, place)];
    expect(wanted).not.toEqual([]);
    if ('collectionFor' in stream) {
      const { page, createdFilter } = (stream as CollectionStream).collectionFor(place.access);
      wanted.push({ query: page, filter: `${createdFilter}:''` });
    }
    const unknown = wanted.flatMap(({ query: { root }, filter: text }) => {
      const used = [...text.replaceAll(/'[^']*'/g, '').matchAll(/([a-z_]+):/g)].map(
        (match) => match[1] ?? '',
      );
      return used.filter((field) => !filtersOf(root).includes(field)).map((field) => `${root}: ${field}`);
    });
    expect(unknown).toEqual([]);
  },
);

test('not each list has a filter by the last change', () => {
  expect(filtersOf('giftCards')).toEqual(expect.arrayContaining(['created_at', 'expires_on']));
  expect(filtersOf('giftCards')).not.toContain('updated_at');
});

test('a page is sorted by the field that it is filtered by', () => {
  for (const { text } of [
    queries.ordersPage(false),
    queries.customersPage(true),
    queries.productsPage(true),
  ]) {
    expect(text).toContain('sortKey: UPDATED_AT');
  }
  expect(queries.eventsPage.text).toContain('sortKey: CREATED_AT');
});

test('an address is asked for where persons are read, and nothing else of them', () => {
  const { ordersPage, ordersById, bulkOrders } = queries;
  for (const consent of [false, true])
    for (const text of [
      queries.customersPage(consent).text,
      queries.customersById(consent).text,
      queries.bulkCustomers(consent)(''),
    ]) {
      expect(text).not.toContain('emailAddress');
      expect(text.includes('defaultEmailAddress { marketingState')).toBe(consent);
    }
  for (const [plain, whole] of [
    [ordersPage(false).text, ordersPage(true).text],
    [ordersById(false).text, ordersById(true).text],
    [bulkOrders(false)(''), bulkOrders(true)('')],
  ] as const) {
    expect(plain).not.toContain('email');
    expect(whole.replace('email', '').replaceAll(/\s+/g, ' ')).toBe(plain.replaceAll(/\s+/g, ' '));
  }
});

import {
  GraphQLError,
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
  type GraphQLTypeResolver,
  getNamedType,
} from 'graphql';
import type { Target } from '../../faults.ts';
import type { Hooks } from '../../hooks/hooks.ts';
import type { Plain } from '../../plain.ts';
import type { BulkOperations } from '../bulk/bulk.ts';
import { makeFilter, type SearchWarning } from '../search/filter.ts';
import { ROOT_LISTS, type RootList, type Shop, splitGid } from '../shop.ts';
import { assertAccess } from './access.ts';
import { invalidCursor, type Page, type PageFaults, pageOf } from './connection.ts';
import { type Args, readField, typeNameOf } from './fields.ts';
import { isVisible, selectRows } from './root_lists.ts';
import { fieldsOf, shapeOf } from './schema.ts';
import { changeSubscription, subscriptionsOf } from './webhook_subscriptions.ts';

const NODES_MAX = 250;
const COUNT_MAX = 10_000;

/** One query being answered. */
export type Asked = {
  shop: Shop;
  now: number;
  bulk: BulkOperations;
  hooks: Hooks;
  faults: PageFaults;
  target: Target;
  /** Rows per connection path, for the actual cost. */
  sizes: Map<string, number>;
  searches: { path: string[]; query: string; warnings: SearchWarning[] }[];
};

type Resolver = GraphQLFieldResolver<Plain, Asked>;

export const resolveField: Resolver = (source, args, asked, info) => {
  const field = fieldsOf(info.parentType)[info.fieldName];
  if (!field) throw new Error(`${info.parentType.name} has no field ${info.fieldName}.`);
  assertAccess(info.parentType, field, asked.shop.scopes);
  if (info.parentType.name === 'QueryRoot') return resolveRoot(args, asked, info);
  if (info.parentType.name === 'Mutation') return resolveMutation(args, asked, info);
  const value = readField(asked.shop, source, field, args);
  const { rowType } = shapeOf(field);
  if (!rowType || !Array.isArray(value)) return value;
  const visible =
    rowType.name === 'Order' ? value.filter((row) => isVisible(asked.shop, row, asked.now)) : value;
  return nestedPage(visible, args, asked, info);
};

export const resolveType: GraphQLTypeResolver<Plain, Asked> = (value, _asked, _info, abstract) =>
  typeNameOf(value, abstract);

function nestedPage(rows: Plain[], args: Args, asked: Asked, info: GraphQLResolveInfo): Page {
  const query = typeof args.query === 'string' ? args.query : undefined;
  const { matches } = makeFilter(info.fieldName, query, asked.shop.zone);
  const filtered = query ? rows.filter(matches) : rows;
  const ordered = args.reverse === true ? filtered.toReversed() : filtered;
  const page = pageOf(ordered, { args, order: `${info.fieldName}${query ?? ''}${args.reverse === true}` });
  return measured(page, asked, info);
}

function measured(page: Page, asked: Asked, info: GraphQLResolveInfo): Page {
  const names: string[] = [];
  for (let path: typeof info.path | undefined = info.path; path; path = path.prev) {
    if (typeof path.key === 'string' && !SHELLS.has(path.key)) names.unshift(path.key);
  }
  const key = `.${names.join('.')}`;
  asked.sizes.set(key, Math.max(asked.sizes.get(key) ?? 0, page.nodes.length));
  return page;
}

/** Names between a connection and its rows, which a cost path leaves out. */
const SHELLS = new Set(['nodes', 'edges', 'node']);

function resolveRoot(args: Args, asked: Asked, info: GraphQLResolveInfo): unknown {
  const { shop, now, bulk } = asked;
  const name = info.fieldName;
  if (isRootList(name)) return rootPage(name, args, asked, info);
  const counted = name.endsWith('Count') ? name.slice(0, -'Count'.length) : '';
  if (isRootList(counted)) return countOf(counted, args, asked, info);
  switch (name) {
    case 'shop':
      return shop.self;
    case 'currentAppInstallation':
      return {
        id: 'gid://shopify/AppInstallation/1',
        app: { id: 'gid://shopify/App/1', title: 'Nightshift sandbox' },
        accessScopes: shop.scopes.map((handle) => ({ handle, description: handle.replaceAll('_', ' ') })),
      };
    case 'node':
      return findVisible(String(args.id), asked);
    case 'nodes':
      return findAll(args.ids, asked);
    case 'bulkOperation':
      return bulk.find(String(args.id)) ?? null;
    case 'currentBulkOperation':
      return bulk.list(now).at(-1) ?? null;
    case 'bulkOperations':
      return bulkPage(args, asked);
    case 'webhookSubscriptions':
      return measured(pageOf(subscriptionsOf(asked), { args, order: 'webhooks' }), asked, info);
  }
  if (SINGLE_ROOTS.has(name)) {
    const id = String(args.id);
    return splitGid(id)?.type === getNamedType(info.returnType).name ? findVisible(id, asked) : null;
  }
  throw new GraphQLError(`The sandbox has no data for the root field "${name}".`, {
    extensions: { code: 'SANDBOX_UNSUPPORTED' },
  });
}

const SINGLE_ROOTS = new Set([
  'order',
  'customer',
  'product',
  'productVariant',
  'inventoryItem',
  'inventoryLevel',
  'location',
  'event',
]);

function isRootList(name: string): name is RootList {
  return (ROOT_LISTS as readonly string[]).includes(name);
}

function rootPage(list: RootList, args: Args, asked: Asked, info: GraphQLResolveInfo): Page {
  const { shop, faults, now } = asked;
  const { rows, warnings, request } = selectRows(shop, list, args, now);
  noteWarnings(asked, info, args, warnings);
  if (args.after && faults.expireCursor()) throw invalidCursor();
  const served = faults.rows(rows);
  return measured(faults.change(pageOf(served, request), served, request), asked, info);
}

function countOf(list: RootList, args: Args, asked: Asked, info: GraphQLResolveInfo): object {
  const { rows, warnings } = selectRows(asked.shop, list, args, asked.now);
  noteWarnings(asked, info, args, warnings);
  const count = asked.faults.rows(rows, true).length;
  const limit = args.limit === null ? Number.POSITIVE_INFINITY : Number(args.limit ?? COUNT_MAX);
  return { count: Math.min(count, limit), precision: count > limit ? 'AT_LEAST' : 'EXACT' };
}

function noteWarnings(asked: Asked, info: GraphQLResolveInfo, args: Args, warnings: SearchWarning[]): void {
  if (warnings.length === 0) return;
  asked.searches.push({ path: [String(info.path.key)], query: String(args.query), warnings });
}

function findVisible(id: string, { shop, now, faults }: Asked): Plain | null {
  const found = shop.find(id);
  if (!found || (splitGid(id)?.type === 'Order' && !isVisible(shop, found, now))) return null;
  return faults.rows([found])[0] ?? null;
}

function findAll(ids: unknown, asked: Asked): (Plain | null)[] {
  const wanted = Array.isArray(ids) ? ids : [];
  if (wanted.length > NODES_MAX) {
    throw new GraphQLError(
      `The input array size of ${wanted.length} is greater than the maximum allowed of ${NODES_MAX}.`,
      {
        extensions: { code: 'MAX_INPUT_SIZE_EXCEEDED' },
      },
    );
  }
  return wanted.map((id) => findVisible(String(id), asked));
}

function bulkPage(args: Args, { shop, bulk, now }: Asked): Page {
  const query = typeof args.query === 'string' ? args.query : undefined;
  const { matches } = makeFilter('bulkOperations', query, shop.zone);
  const found = bulk.list(now).filter(matches);
  return pageOf(args.reverse === true ? found : found.toReversed(), { args, order: `bulk ${query ?? ''}` });
}

function resolveMutation(args: Args, asked: Asked, info: GraphQLResolveInfo): unknown {
  const { bulk, shop, now, target, faults } = asked;
  const changed = changeSubscription(info.fieldName, args, asked);
  if (changed) return changed;
  if (info.fieldName === 'bulkOperationRunQuery') {
    const request = { shop, now, query: String(args.query), groupObjects: args.groupObjects === true };
    return bulk.run(request, { target, rows: faults.rows });
  }
  if (info.fieldName === 'bulkOperationCancel') return bulk.cancel(String(args.id));
  throw new GraphQLError(`The sandbox does not carry out the mutation "${info.fieldName}".`, {
    extensions: { code: 'SANDBOX_UNSUPPORTED' },
  });
}

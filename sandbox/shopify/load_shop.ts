/** A shop of a scenario: its NDJSON files, read by the schema, completed and indexed. */
import { readdir } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type Draft, type Place, readNdjson } from '../ndjson.ts';
import { get, getList, isPlain, type Plain } from '../plain.ts';
import { ScenarioError } from '../scenario_error.ts';
import { type CoerceContext, coerceObject } from './coerce.ts';
import {
  completeCustomer,
  completeEvent,
  completeItem,
  completeLevel,
  completeLocation,
  completeProduct,
  DEFAULT_LOCATION,
} from './complete/catalogue.ts';
import { completeOrder } from './complete/order.ts';
import { adminSchema } from './graphql/schema.ts';
import type { Shop, ShopSettings } from './shop.ts';
import { shopObject } from './shop_object.ts';

const FILES: Readonly<Record<string, string>> = {
  'orders.ndjson': 'Order',
  'products.ndjson': 'Product',
  'customers.ndjson': 'Customer',
  'inventory_items.ndjson': 'InventoryItem',
  'inventory_levels.ndjson': 'InventoryLevel',
  'locations.ndjson': 'Location',
  'events.ndjson': 'Event',
};

export type ShopSource = {
  root: string;
  folder: string;
  settings: ShopSettings;
  now: number | undefined;
  warnings: string[];
};

/** The present state of each id, in the order of first mention, and the state before it. */
type Rows = { present: Map<string, Draft>; older: Map<string, Draft> };

export async function loadShop(source: ShopSource): Promise<Shop> {
  const { root, folder, settings } = source;
  await assertKnownFiles(root, folder);
  const read = async (file: string, complete: (draft: Draft, place: Place) => Draft) => {
    return readFile(join(folder, file), source, FILES[file] ?? '', complete);
  };
  const events = await read('events.ndjson', completeEvent);
  const orders = await read('orders.ndjson', (draft, place) => completeOrder(draft, settings, place));
  const products = await read('products.ndjson', completeProduct);
  const locations = await read('locations.ndjson', completeLocation);
  const stock = new Stock(products.present);
  stock.mergeItems(await read('inventory_items.ndjson', (draft) => draft));
  stock.addLevels(await read('inventory_levels.ndjson', (draft, place) => placedLevel(draft, place)));

  const served = (rows: Rows, what: string) => leaveOut([...rows.present.values()], what, events, source);
  const orderRows = served(orders, 'orders');
  const impliedBuyers = buyersOf(orderRows);
  const customers = await read('customers.ndjson', (draft) => draft);
  for (const [id, customer] of impliedBuyers)
    if (!customers.present.has(id)) customers.present.set(id, customer);
  const customerRows = served(customers, 'customers').map((draft) =>
    completeCustomer(draft, orderRows, settings),
  );
  for (const draft of customers.older.values()) completeCustomer(draft, orderRows, settings);
  const productRows = served(products, 'products');
  const variants = productRows.flatMap((product) => getList(product, 'variants') as Draft[]);
  const isNeeded = locations.present.size === 0 || variants.some(isStockedByDefault);
  if (isNeeded && !locations.present.has(String(DEFAULT_LOCATION.id)))
    locations.present.set(String(DEFAULT_LOCATION.id), completeLocation({ ...DEFAULT_LOCATION }));
  const lists = {
    orders: orderRows,
    customers: customerRows,
    products: productRows,
    productVariants: variants,
    inventoryItems: [...variants.map((variant) => variant.inventoryItem as Draft), ...stock.loose.values()],
    locations: [...locations.present.values()],
    events: leaveOut([...events.present.values()], 'events', undefined, source),
  };
  const index = indexOf(Object.values(lists).flat());
  const older = new Map([orders, products, customers].flatMap((rows) => [...rows.older]));
  return {
    ...settings,
    domain: `${settings.name}.myshopify.com`,
    self: shopObject(settings, '2020-01-01T00:00:00Z'),
    lists,
    find: (id) => index.get(id),
    older: (id) => older.get(id),
  };
}

function isStockedByDefault({ inventoryItem }: Draft): boolean {
  const levels = getList(inventoryItem as Draft, 'inventoryLevels') as Draft[];
  return levels.some(({ location }) => (location as Draft).id === DEFAULT_LOCATION.id);
}

async function assertKnownFiles(root: string, folder: string): Promise<void> {
  for (const file of await readdir(folder)) {
    if (file in FILES) continue;
    const known = Object.keys(FILES).join(', ');
    throw new ScenarioError(
      relative(root, join(folder, file)),
      `is not a file of a shop; known are ${known}`,
    );
  }
}

async function readFile(
  file: string,
  { root, folder, settings, warnings }: ShopSource,
  typeName: string,
  complete: (draft: Draft, place: Place) => Draft,
): Promise<Rows> {
  const rows: Rows = { present: new Map(), older: new Map() };
  if (!(await readdir(folder)).includes(basename(file))) return rows;
  const type = adminSchema().getType(typeName);
  if (!type) throw new Error(`The schema has no type ${typeName}.`);
  const unknown = new Set<string>();
  for await (const { value, place } of readNdjson(root, file)) {
    const context: CoerceContext = {
      currency: typeof value.currencyCode === 'string' ? value.currencyCode : settings.currency,
      unknownField: (at, owner, field) => {
        if (unknown.has(`${owner}.${field}`)) return;
        unknown.add(`${owner}.${field}`);
        warnings.push(`${at}: ${owner} has no field "${field}" in the API; it is not served.`);
      },
    };
    const draft = coerceObject(value, type, place, context);
    const done = NEED_NO_ID.has(typeName) ? complete(draft, place) : complete(withId(draft, place), place);
    const id = String(done.id);
    const before = rows.present.get(id);
    if (before) rows.older.set(id, before);
    rows.present.set(id, done);
  }
  return rows;
}

const NEED_NO_ID = new Set(['Event', 'InventoryLevel']);

function withId(draft: Draft, place: Place): Draft {
  if (draft.id === undefined) place.fail('"id" is missing');
  return draft;
}

/** A level of the file of levels; its own id follows from item and location. */
function placedLevel(level: Draft, place: Place): Draft {
  if (!isPlain(level.item)) place.fail('an inventory level needs "item": {"id": …}');
  return completeLevel(level, level.item as Draft);
}

/** Stock that is given apart from the products. */
class Stock {
  readonly loose = new Map<string, Draft>();
  readonly #variants = new Map<string, Draft>();

  constructor(products: Map<string, Draft>) {
    for (const product of products.values()) {
      for (const variant of getList(product, 'variants') as Draft[]) {
        this.#variants.set(String((variant.inventoryItem as Draft).id), variant);
      }
    }
  }

  mergeItems({ present }: Rows): void {
    for (const [id, given] of present) {
      const variant = this.#variants.get(id);
      if (variant) Object.assign(variant.inventoryItem as Draft, given);
      else this.loose.set(id, completeItem(given));
    }
  }

  addLevels({ present }: Rows): void {
    for (const level of present.values()) {
      const id = String((level.item as Draft).id);
      const variant = this.#variants.get(id);
      const item =
        (variant?.inventoryItem as Draft | undefined) ?? this.loose.get(id) ?? completeItem({ id });
      if (!variant) this.loose.set(id, item);
      item.inventoryLevels = [
        ...getList(item, 'inventoryLevels').filter((other) => get(other, 'id') !== level.id),
        level,
      ];
    }
  }
}

/** Customers who are named only by orders: the API has every buyer. */
function buyersOf(orders: Draft[]): Map<string, Draft> {
  const buyers = new Map<string, Draft>();
  for (const { customer } of orders) {
    if (isPlain(customer)) buyers.set(String(get(customer, 'id')), { ...customer });
  }
  return buyers;
}

/** Leaves out what an event deleted, and what does not exist yet as of the scenario's instant. */
function leaveOut(
  rows: Draft[],
  what: string,
  events: Rows | undefined,
  { now, warnings, settings }: ShopSource,
): Draft[] {
  const exists = ({ createdAt }: Draft) => {
    return now === undefined || createdAt === undefined || Date.parse(String(createdAt)) <= now;
  };
  const gone = new Set(
    [...(events?.present.values() ?? [])]
      .filter((event) => event.action === 'destroy' && exists(event))
      .map(({ subjectId }) => subjectId),
  );
  const early = rows.filter((row) => !exists(row)).length;
  if (early > 0) {
    warnings.push(
      `shop ${settings.name}: ${early} of the ${what} are created after "now" and are not served.`,
    );
  }
  return rows.filter((row) => exists(row) && !gone.has(row.id));
}

/** Everything with an id, by id; a bare reference never stands for the object itself. */
function indexOf(rows: readonly Plain[]): Map<string, Plain> {
  const index = new Map<string, Plain>();
  for (const row of rows) index.set(String(get(row, 'id')), row);
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (isPlain(value)) {
      const id = get(value, 'id');
      if (typeof id === 'string' && Object.keys(value).length > 1 && !index.has(id)) index.set(id, value);
      Object.values(value).forEach(visit);
    }
  };
  rows.forEach(visit);
  return index;
}

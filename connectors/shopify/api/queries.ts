/**
 * All query texts that we send to Shopify. A test validates each against the schema of the pinned version and compares
 * its fields with the scopes that its stream declares. Bulk texts have no variables, fragments or page arguments:
 * Shopify refuses the first two and ignores the last.
 */
export const API_VERSION = '2026-10';

export type Query = {
  /** Its name in errors, and the name of the operation. */
  name: string;
  text: string;
  /** Points that we reserve until the first answer reports the real cost. */
  cost: number;
};

/** One field of the root with a filter: a page of a list, or a count. Several can be requested at once (`look.ts`). */
export type RootQuery = Query & {
  root: string;
  /** Besides the filter; of a list those that bring the newest first, where it can be sorted. */
  arguments: string;
};

const MONEY = '{ shopMoney { amount currencyCode } }';
const BOTH_MONIES = '{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }';

const PAGE_ARGUMENTS = '$first: Int!, $after: String, $query: String!';
const PAGE = 'first: $first, after: $after, query: $query';
export const PAGE_INFO = 'pageInfo { hasNextPage endCursor }';

// How many children come with their parent; the rest of a longer list is requested separately.
const LINES_FIRST = 25;
const AGREEMENTS_FIRST = 3;
const SALES_FIRST = 30;
const VARIANTS_FIRST = 20;
const LEVELS_FIRST = 5;
const REFUND_LINES_FIRST = 50;
/** The maximum page size of Shopify. */
export const PAGE_SIZE_MAX = 250;

const REFUND = `id createdAt processedAt totalRefundedSet ${MONEY}`;

/** What of a refund went back to stock. A bulk result cannot have it, because a refund is in a list. */
const RESTOCKED = `refundLineItems(first: ${REFUND_LINES_FIRST}) { nodes { quantity restockType lineItem { id } } }`;

const order = (refund: string) => `id name createdAt processedAt updatedAt cancelledAt cancelReason test
  currencyCode presentmentCurrencyCode taxesIncluded displayFinancialStatus sourceName discountCodes
  customer { id } shippingAddress { countryCodeV2 } billingAddress { countryCodeV2 }
  totalPriceSet ${BOTH_MONIES} currentTotalPriceSet ${BOTH_MONIES} totalRefundedSet ${BOTH_MONIES}
  customerJourneySummary { ready lastVisit { occurredAt source utmParameters { source medium campaign content term } } }
  refunds { ${refund} }
  transactions { id kind status test gateway createdAt processedAt parentTransaction { id } amountSet ${MONEY} }`;

const LINE = `id title variantTitle sku quantity currentQuantity isGiftCard originalUnitPriceSet ${MONEY}
  product { id } variant { id }`;

const AGREEMENT = 'id happenedAt reason ... on RefundAgreement { refund { id } }';

const SALE = `id actionType lineType quantity
  totalAmount ${MONEY} totalTaxAmount ${MONEY} totalDiscountAmountBeforeTaxes ${MONEY}
  ... on ProductSale { lineItem { id } } ... on GiftCardSale { lineItem { id } } ... on TipSale { lineItem { id } }`;

/** The address itself is not asked for, only whether it may be written to; that is personal data all the same. */
const customer = (consent: boolean) =>
  `id createdAt updatedAt state locale tags numberOfOrders amountSpent { amount currencyCode }${
    consent ? ' defaultEmailAddress { marketingState marketingOptInLevel marketingUpdatedAt }' : ''
  }`;

const PRODUCT =
  'id title handle status vendor productType category { id fullName } tags isGiftCard createdAt updatedAt';

const VARIANT = `id sku barcode title price compareAtPrice position inventoryQuantity
  inventoryItem { id tracked updatedAt unitCost { amount currencyCode }`; // is closed after the stock levels

const QUANTITIES = 'quantities(names: ["available", "on_hand", "committed", "incoming"]) { name quantity }';

/** Names of locations need a scope of their own, so they are requested only if it is granted. */
const level = (names: boolean) =>
  `id isActive updatedAt location { id ${names ? 'name' : ''} } ${QUANTITIES}`;

/** The address is a protected field: it is asked for only where the connection reads persons. */
const orderTree = (email: boolean) => `${order(`${REFUND} ${RESTOCKED}`)} ${email ? 'email' : ''}
  lineItems(first: ${LINES_FIRST}) { ${PAGE_INFO} nodes { ${LINE} } }
  agreements(first: ${AGREEMENTS_FIRST}) { ${PAGE_INFO} nodes { ${AGREEMENT}
    sales(first: ${SALES_FIRST}) { ${PAGE_INFO} nodes { ${SALE} } } } }`;

const variantTree = (names: boolean) => `${VARIANT}
  inventoryLevels(first: ${LEVELS_FIRST}) { ${PAGE_INFO} nodes { ${level(names)} } } }`;

const productTree = (names: boolean) => `${PRODUCT}
  variants(first: ${VARIANTS_FIRST}) { ${PAGE_INFO} nodes { ${variantTree(names)} } }`;

const ITEM = 'id updatedAt variants(first: 5) { nodes { product { id } } }';
const EVENT = 'id action createdAt ... on BasicEvent { subjectId subjectType }';

export const accessQuery: Query = {
  name: 'Access',
  cost: 5,
  text: `query Access {
    shop { id name myshopifyDomain currencyCode ianaTimezone createdAt }
    currentAppInstallation { accessScopes { handle } } }`,
};

export const SHOP = `shop { id name myshopifyDomain currencyCode enabledPresentmentCurrencies ianaTimezone
    taxesIncluded createdAt updatedAt plan { publicDisplayName shopifyPlus partnerDevelopment } }`;

export const shopQuery: Query = { name: 'Shop', cost: 5, text: `query Shop { ${SHOP} }` };

type Selection = { cost: number; node: string };

/** A page of a list; the oldest by `sortKey` come first. Null where the list cannot be sorted. */
function pageQuery(
  name: string,
  { root, node, cost, sortKey = 'UPDATED_AT' }: Selection & { root: string; sortKey?: string | null },
): RootQuery {
  const sorted = sortKey === null ? '' : `, sortKey: ${sortKey}`;
  const text = `query ${name}(${PAGE_ARGUMENTS}) {
    page: ${root}(${PAGE}${sorted}) { ${PAGE_INFO} nodes { ${node} } } }`;
  return { name, root, cost, text, arguments: sorted && `${sorted}, reverse: true` };
}

/** Objects of one type by their ids. */
function byIdQuery(name: string, { type, cost, node }: Selection & { type: string }): Query {
  const text = `query ${name}($ids: [ID!]!) { nodes(ids: $ids) { ... on ${type} { ${node} } } }`;
  return { name, cost, text };
}

/** A page of the children of one object. */
function childrenQuery(
  name: string,
  { parent, list, first, cost, node }: Selection & { parent: string; list: string; first: number },
): Query {
  const text = `query ${name}($id: ID!, $after: String) {
    parent: ${parent}(id: $id) { list: ${list}(first: ${first}, after: $after) { ${PAGE_INFO} nodes { ${node} } } } }`;
  return { name, cost, text };
}

function countQuery(name: string, root: string, more: string): RootQuery {
  const text = `query ${name}($query: String!) { count: ${root}(query: $query${more}) { count precision } }`;
  return { name, cost: 10, text, root, arguments: more };
}

/** Without an explicit limit a count ends at 10,000. */
const WITHOUT_LIMIT = ', limit: null';

export const ordersPage = (email: boolean) =>
  pageQuery('OrdersPage', { root: 'orders', cost: 500, node: orderTree(email) });
export const ordersById = (email: boolean) =>
  byIdQuery('OrdersById', { type: 'Order', cost: 500, node: orderTree(email) });
export const orderLines = childrenQuery('OrderLines', {
  parent: 'order',
  list: 'lineItems',
  first: PAGE_SIZE_MAX,
  cost: 50,
  node: LINE,
});

/** One agreement at a time, so that its sales can be read to their end. */
export const orderLedger: Query = {
  name: 'OrderLedger',
  cost: 50,
  text: `query OrderLedger($id: ID!, $after: String, $salesAfter: String) {
    parent: order(id: $id) { list: agreements(first: 1, after: $after) { ${PAGE_INFO} nodes { ${AGREEMENT}
      sales(first: ${PAGE_SIZE_MAX}, after: $salesAfter) { ${PAGE_INFO} nodes { ${SALE} } } } } } }`,
};

/** Whether the visits that led to orders are known. */
export const journeysById = byIdQuery('JourneysById', {
  type: 'Order',
  cost: 500,
  node: 'id customerJourneySummary { ready }',
});

export const ordersCount = countQuery('OrdersCount', 'ordersCount', WITHOUT_LIMIT);

export const customersPage = (consent: boolean) =>
  pageQuery('CustomersPage', { root: 'customers', cost: 50, node: customer(consent) });
export const customersById = (consent: boolean) =>
  byIdQuery('CustomersById', { type: 'Customer', cost: 50, node: customer(consent) });

export const customersCount = countQuery('CustomersCount', 'customersCount', WITHOUT_LIMIT);

export const productsPage = (names: boolean) =>
  pageQuery('ProductsPage', { root: 'products', cost: 500, node: productTree(names) });

export const productVariants = (names: boolean) =>
  childrenQuery('ProductVariants', {
    parent: 'product',
    list: 'variants',
    first: 50,
    cost: 100,
    node: variantTree(names),
  });

/** Changed stock and costs: their products are read again, because these do not always change with them. */
export const itemsPage = pageQuery('ItemsPage', {
  root: 'inventoryItems',
  cost: 100,
  node: ITEM,
  sortKey: null,
});

export const productsById = (names: boolean) =>
  byIdQuery('ProductsById', { type: 'Product', cost: 500, node: productTree(names) });

export const itemLevels = (names: boolean) =>
  childrenQuery('ItemLevels', {
    parent: 'inventoryItem',
    list: 'inventoryLevels',
    first: 100,
    cost: 50,
    node: level(names),
  });

export const productsCount = countQuery('ProductsCount', 'productsCount', WITHOUT_LIMIT);

/** Null for an object that does not exist or is hidden. */
export const nodesById: Query = {
  name: 'NodesById',
  cost: 250,
  text: 'query NodesById($ids: [ID!]!) { nodes(ids: $ids) { id } }',
};

export const eventsPage = pageQuery('EventsPage', {
  root: 'events',
  cost: 50,
  node: EVENT,
  sortKey: 'CREATED_AT',
});

export const eventsCount = countQuery('EventsCount', 'eventsCount', '');

// Children are requested in groups behind their parent, so that an order is complete before the next begins.
export const bulkRun: Query = {
  name: 'BulkRun',
  cost: 10,
  text: `mutation BulkRun($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: true) {
    bulkOperation { id status } userErrors { code field message } } }`,
};

export const bulkOperation: Query = {
  name: 'BulkOperation',
  cost: 2,
  text: `query BulkOperation($id: ID!) { bulkOperation(id: $id) {
    id status errorCode createdAt completedAt objectCount rootObjectCount fileSize url partialDataUrl } }`,
};

/** The latest operations of this app in this shop, to find one whose start had no answer. */
export const bulkOperations: Query = {
  name: 'BulkOperations',
  cost: 25,
  text: `query BulkOperations { bulkOperations(first: 20, query: "operation_type:query") {
    nodes { id status createdAt query } } }`,
};

const argument = (filter: string) => (filter === '' ? '' : `(query: ${JSON.stringify(filter)})`);
const edges = (node: string) => `{ edges { node { ${node} } } }`;

export const bulkOrders =
  (email: boolean) =>
  (filter: string): string =>
    `{ orders${argument(filter)} ${edges(`${order(REFUND)} ${email ? 'email' : ''}
    lineItems ${edges(LINE)}
    agreements ${edges(`${AGREEMENT} sales ${edges(SALE)}`)}`)} }`;

export const bulkCustomers =
  (consent: boolean) =>
  (filter: string): string =>
    `{ customers${argument(filter)} ${edges(customer(consent))} }`;

export const bulkProducts =
  (names: boolean) =>
  (filter: string): string =>
    `{ products${argument(filter)} ${edges(`${PRODUCT}
    variants ${edges(`${VARIANT} inventoryLevels ${edges(level(names))} }`)}`)} }`;

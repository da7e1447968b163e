import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  type FragmentDefinitionNode,
  type GraphQLError,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  parse,
  validate,
  valueFromASTUntyped,
} from 'graphql';
import { type Bucket, type CostQuery, costOf, QUERY_COST_MAX } from './cost.ts';
import { toShopifyShape } from './graphql_errors.ts';
import { type Asked, resolveField, resolveType } from './resolve.ts';
import { adminSchema } from './schema.ts';

const DOCUMENTS_KEPT_MAX = 200;

export type GraphqlBody = {
  query: string;
  variables: Record<string, unknown>;
  operationName: string | undefined;
};
export type Answer = {
  body: Record<string, unknown>;
  requestedCost: number;
  actualCost: number | null;
};

type Prepared = { document: DocumentNode; errors: readonly GraphQLError[] };
const prepared = new Map<string, Prepared>();

/** Answers one query as Shopify does: always with HTTP 200, also for what is refused. */
export function answerQuery(body: GraphqlBody, asked: Asked, bucket: Bucket, throttle: boolean): Answer {
  const query = prepare(body.query);
  const operation = query.errors.length === 0 ? getOperationAST(query.document, body.operationName) : null;
  if (!operation) return refusal(query.errors, 'No operation was found.');
  const fragments = fragmentsOf(query.document);
  const variables = { ...defaultsOf(operation), ...body.variables };
  const costQuery = { schema: adminSchema(), operation, fragments, variables };
  const requestedCost = costOf(costQuery, (_path, size) => size);
  if (requestedCost > QUERY_COST_MAX) return tooDear(requestedCost);
  if (throttle || !bucket.take(requestedCost)) return throttled(requestedCost, bucket);
  const result = execute({
    schema: adminSchema(),
    document: query.document,
    variableValues: body.variables,
    operationName: body.operationName,
    contextValue: asked,
    rootValue: {},
    fieldResolver: resolveField,
    typeResolver: resolveType,
  });
  if (result instanceof Promise) throw new Error('A resolver answered later, which none may.');
  return finish(result, asked, costQuery, requestedCost, bucket);
}

function prepare(text: string): Prepared {
  const known = prepared.get(text);
  if (known) return known;
  let fresh: Prepared;
  try {
    const document = parse(text);
    fresh = { document, errors: validate(adminSchema(), document) };
  } catch (error) {
    fresh = { document: { kind: Kind.DOCUMENT, definitions: [] }, errors: [error as GraphQLError] };
  }
  prepared.set(text, fresh);
  const [oldest] = prepared.keys();
  if (prepared.size > DOCUMENTS_KEPT_MAX && oldest !== undefined) prepared.delete(oldest);
  return fresh;
}

/** Values of the variables that a request may leave out. */
function defaultsOf(operation: OperationDefinitionNode): Record<string, unknown> {
  const given = operation.variableDefinitions?.filter(({ defaultValue }) => defaultValue) ?? [];
  return Object.fromEntries(
    given.map(({ variable, defaultValue }) => [
      variable.name.value,
      defaultValue && valueFromASTUntyped(defaultValue),
    ]),
  );
}

function fragmentsOf(document: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> {
  const fragments = document.definitions.filter((part) => part.kind === Kind.FRAGMENT_DEFINITION);
  return new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
}

function finish(
  result: ExecutionResult,
  asked: Asked,
  query: CostQuery,
  requestedCost: number,
  bucket: Bucket,
): Answer {
  const actualCost = Math.min(
    requestedCost,
    costOf(query, (path) => asked.sizes.get(path) ?? 0),
  );
  bucket.giveBack(requestedCost - actualCost);
  const errors = result.errors?.map((error) => toShopifyShape(error, 'INTERNAL_SERVER_ERROR'));
  const cost = {
    requestedQueryCost: requestedCost,
    actualQueryCost: actualCost,
    throttleStatus: bucket.status(),
  };
  const search = asked.searches.length > 0 ? { search: asked.searches } : {};
  // Variables that do not fit their types are refused before anything runs: then there is no data.
  const data = 'data' in result ? { data: result.data } : {};
  return {
    body: { ...data, ...(errors ? { errors } : {}), extensions: { cost, ...search } },
    requestedCost,
    actualCost,
  };
}

function refusal(errors: readonly GraphQLError[], otherwise: string): Answer {
  const shaped = errors.map((error) => toShopifyShape(error, 'BAD_REQUEST'));
  const body = {
    errors: shaped.length > 0 ? shaped : [{ message: otherwise, extensions: { code: 'BAD_REQUEST' } }],
  };
  return { body, requestedCost: 0, actualCost: null };
}

function tooDear(requestedCost: number): Answer {
  const message =
    `Query cost is ${requestedCost}, which exceeds the single query max cost limit (${QUERY_COST_MAX}).\n\n` +
    'See https://shopify.dev/concepts/about-apis/rate-limits for more information on how the cost of a query is calculated.';
  const extensions = {
    code: 'MAX_COST_EXCEEDED',
    cost: requestedCost,
    maxCost: QUERY_COST_MAX,
    documentation: 'https://shopify.dev/api/usage/rate-limits',
  };
  return { body: { errors: [{ message, extensions }] }, requestedCost, actualCost: null };
}

function throttled(requestedCost: number, bucket: Bucket): Answer {
  const extensions = { code: 'THROTTLED', documentation: 'https://shopify.dev/api/usage/rate-limits' };
  const status = bucket.status();
  // A fault throttles whatever the bucket holds: then it is said to lack one point.
  const throttleStatus = {
    ...status,
    currentlyAvailable: Math.max(0, Math.min(status.currentlyAvailable, requestedCost - 1)),
  };
  const cost = { requestedQueryCost: requestedCost, actualQueryCost: null, throttleStatus };
  return {
    body: { errors: [{ message: 'Throttled', extensions }], extensions: { cost } },
    requestedCost,
    actualCost: null,
  };
}

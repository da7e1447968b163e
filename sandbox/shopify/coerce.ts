/**
 * Reads a scenario's object by the real schema: every value has to be of its field's type, money and
 * references may be written short, connections become plain arrays, times become UTC.
 */
import {
  type GraphQLNamedType,
  type GraphQLOutputType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { isDecimal } from '../decimal.ts';
import type { Draft, Place } from '../ndjson.ts';
import { isPlain } from '../plain.ts';
import { toStamp } from '../zone.ts';
import { concreteType } from './graphql/concrete_type.ts';
import { type AnyField, shapeOf } from './graphql/schema.ts';
import { gid } from './shop.ts';

export type CoerceContext = {
  /** Currency of amounts that name none. */
  currency: string;
  /** Told of each field that the schema does not have. */
  unknownField: (place: Place, type: string, field: string) => void;
};

export function coerceObject(
  value: unknown,
  type: GraphQLNamedType,
  place: Place,
  context: CoerceContext,
): Draft {
  const given = readable(value, type, place, context);
  const concrete = concreteType(type, given, place);
  const fields = concrete.getFields();
  const result: Draft = concrete === type ? {} : { __typename: concrete.name };
  for (const [name, own] of Object.entries(given)) {
    if (name === '__typename') continue;
    const field = fields[name];
    const at = place.below(name);
    if (!field) context.unknownField(place, concrete.name, name);
    else if (name === 'id' && own !== null) result.id = toGid(own, concrete.name, at);
    else if (own !== null || !isNonNullType(field.type)) result[name] = coerceField(own, field, at, context);
  }
  return result;
}

/** Short forms: an amount alone for money, an id alone for an object. */
function readable(value: unknown, type: GraphQLNamedType, place: Place, { currency }: CoerceContext): Draft {
  const isAmount = typeof value === 'string' || Number.isInteger(value);
  if (type.name === 'MoneyBag' && isAmount) {
    const money = { amount: String(value), currencyCode: currency };
    return { shopMoney: money, presentmentMoney: money };
  }
  if (type.name === 'MoneyV2') {
    if (isAmount) return { amount: String(value), currencyCode: currency };
    if (isPlain(value)) return { currencyCode: currency, ...value };
  }
  if (type.name === 'MoneyBag' && isPlain(value)) {
    const bag = value as Draft;
    return { ...bag, presentmentMoney: bag.presentmentMoney ?? bag.shopMoney };
  }
  if (isAmount) return { id: value };
  if (!isPlain(value)) place.fail(`${JSON.stringify(value)} is not a valid ${type.name} object`);
  return value as Draft;
}

function coerceField(value: unknown, field: AnyField, place: Place, context: CoerceContext): unknown {
  const { rowType } = shapeOf(field);
  if (!rowType) return coerceValue(value, field.type, place, context);
  return connectionRows(value, place).map((row, index) =>
    coerceObject(row, rowType, place.below(String(index)), context),
  );
}

/** A connection is best written as a plain array; what the API itself answers is understood too. */
function connectionRows(value: unknown, place: Place): unknown[] {
  if (Array.isArray(value)) return value;
  if (isPlain(value)) {
    const { nodes, edges } = value as Draft;
    if (Array.isArray(nodes)) return nodes;
    if (Array.isArray(edges)) return edges.map((edge) => (edge as Draft).node);
  }
  return place.fail('a connection is written as an array');
}

function coerceValue(value: unknown, type: GraphQLOutputType, place: Place, context: CoerceContext): unknown {
  if (isNonNullType(type)) return coerceValue(value, type.ofType, place, context);
  if (value === null) return null;
  if (isListType(type)) {
    if (!Array.isArray(value)) place.fail('this field is a list');
    const items = value as unknown[];
    return items.map((item, index) => coerceValue(item, type.ofType, place.below(String(index)), context));
  }
  if (isEnumType(type)) {
    if (typeof value === 'string' && type.getValue(value)) return value;
    place.fail(`${JSON.stringify(value)} is not a valid ${type.name}`);
  }
  if (isObjectType(type) || 'getTypes' in type || 'getFields' in type)
    return coerceObject(value, type, place, context);
  return coerceScalar(value, type.name, place);
}

function coerceScalar(value: unknown, type: string, place: Place): unknown {
  const refuse = () => place.fail(`${JSON.stringify(value)} is not a valid ${type}`);
  switch (type) {
    case 'DateTime':
      return coerceTime(value, place);
    case 'Boolean':
      return typeof value === 'boolean' ? value : refuse();
    case 'Int':
      return Number.isInteger(value) ? value : refuse();
    case 'Float':
      return typeof value === 'number' ? value : refuse();
    case 'Decimal':
    case 'Money':
      if (Number.isInteger(value)) return String(value);
      if (typeof value === 'number')
        place.fail('write amounts as text, such as "9.90": a JSON number may lose digits');
      return typeof value === 'string' && isDecimal(value) ? value : refuse();
    case 'UnsignedInt64':
      return /^\d+$/.test(String(value)) ? String(value) : refuse();
    case 'JSON':
      return value;
    default:
      return typeof value === 'string' || Number.isInteger(value) ? String(value) : refuse();
  }
}

function coerceTime(value: unknown, place: Place): string {
  const text = String(value);
  const instant = Date.parse(text);
  if (Number.isNaN(instant)) place.fail(`${JSON.stringify(value)} is not a time`);
  if (!/(Z|[+-]\d{2}:?\d{2})$/.test(text))
    place.fail(`"${text}" needs Z or an offset, such as "2026-03-01T09:00:00Z"`);
  return toStamp(instant);
}

function toGid(value: unknown, type: string, place: Place): string {
  const text = String(value);
  if (text.startsWith('gid://shopify/')) return text;
  if (/^\d+$/.test(text)) return gid(type, text);
  return place.fail(`${JSON.stringify(value)} is not an id: write "gid://shopify/${type}/1001" or 1001`);
}

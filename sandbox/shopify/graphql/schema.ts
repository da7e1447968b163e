import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import {
  buildSchema,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  GraphQLScalarType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { toStamp } from '../../zone.ts';

export const API_VERSION = '2026-10';

export type AnyField = GraphQLField<unknown, unknown>;

let loaded: GraphQLSchema | undefined;

/** Shopify's Admin schema as saved; built once per process, since nothing is attached to it. */
export function adminSchema(): GraphQLSchema {
  if (!loaded) {
    const packed = readFileSync(new URL('./admin-2026-10.graphql.gz', import.meta.url));
    loaded = buildSchema(gunzipSync(packed).toString('utf8'), { assumeValidSDL: true, assumeValid: true });
    const dateTime = loaded.getType('DateTime');
    if (dateTime instanceof GraphQLScalarType) dateTime.serialize = serializeDateTime;
  }
  return loaded;
}

export function fieldsOf(type: GraphQLNamedType): Record<string, AnyField> {
  return isObjectType(type) || isInterfaceType(type) ? type.getFields() : {};
}

/** The type of a connection's rows; undefined when the type is not a connection. */
export function nodeTypeOf(type: GraphQLNamedType): GraphQLNamedType | undefined {
  if (!type.name.endsWith('Connection')) return undefined;
  const nodes = fieldsOf(type).nodes;
  return nodes && getNamedType(nodes.type);
}

export function isListField(field: AnyField): boolean {
  return isListType(isNonNullType(field.type) ? field.type.ofType : field.type);
}

export type Shape = {
  named: GraphQLNamedType;
  rowType: GraphQLNamedType | undefined;
  isList: boolean;
  isRequired: boolean;
};

const shapes = new WeakMap<AnyField, Shape>();

/** What is asked about a field's type again and again, worked out once. */
export function shapeOf(field: AnyField): Shape {
  let shape = shapes.get(field);
  if (!shape) {
    const named = getNamedType(field.type);
    const isRequired = isNonNullType(field.type);
    shape = { named, rowType: nodeTypeOf(named), isList: isListField(field), isRequired };
    shapes.set(field, shape);
  }
  return shape;
}

export function objectType(name: string): GraphQLObjectType | undefined {
  const type = adminSchema().getType(name);
  return isObjectType(type) ? type : undefined;
}

export function serializeDateTime(value: unknown): string {
  const text = String(value);
  if (text.length === 20 && text.endsWith('Z')) return text;
  return toStamp(Date.parse(text));
}

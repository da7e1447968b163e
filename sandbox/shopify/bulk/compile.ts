/**
 * Turns the selection of a bulk query into functions that write JSON text straight from the data.
 * graphql-js builds an object per field and would need minutes for a year of orders; a test holds
 * that both give the same.
 */
import {
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getArgumentValues,
  getNamedType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { collectSubfields } from 'graphql/execution/collectFields.js';
import { get, type Plain } from '../../plain.ts';
import { assertAccess } from '../graphql/access.ts';
import { readField, typeNameOf } from '../graphql/fields.ts';
import { type AnyField, adminSchema, nodeTypeOf, objectType, serializeDateTime } from '../graphql/schema.ts';
import type { Shop } from '../shop.ts';
import type { BulkQuery, Fragments } from './rules.ts';

/** Writes one row without its closing brace, so that `__parentId` can follow; and knows what stands below it. */
export type RowWriter = { open: (row: Plain) => string; children: ChildRows[] };
export type ChildRows = { rows: (parent: Plain) => Plain[]; writerOf: (row: Plain) => RowWriter };

type Write = (value: never) => string;
type Grouped = ReadonlyMap<string, readonly FieldNode[]>;

export function compileBulk(query: BulkQuery, shop: Shop): (row: Plain) => RowWriter {
  const root = adminSchema().getQueryType();
  if (root) assertAccess(root, query.field, shop.scopes);
  return new Compiler(query.fragments, shop).connection(getNamedType(query.field.type), [query.node]);
}

class Compiler {
  readonly #fragments: Fragments;
  readonly #shop: Shop;

  constructor(fragments: Fragments, shop: Shop) {
    this.#fragments = fragments;
    this.#shop = shop;
  }

  connection(type: GraphQLNamedType, nodes: readonly FieldNode[]): (row: Plain) => RowWriter {
    const rowType = nodeTypeOf(type);
    if (!rowType || !isObjectType(type)) throw new Error(`${type.name} is not a connection.`);
    const fields = this.#collect(type, nodes);
    const edges = fields.get('edges') ?? [];
    const edgeField = type.getFields().edges;
    const edgeType = edgeField && getNamedType(edgeField.type);
    const below = isObjectType(edgeType) ? (this.#collect(edgeType, edges).get('node') ?? []) : [];
    const rowNodes = [...below, ...(fields.get('nodes') ?? [])];
    return perType(rowType, (concrete) => {
      const children: ChildRows[] = [];
      const body = this.#fields(concrete, this.#collect(concrete, rowNodes), children, []);
      return { open: body as (row: Plain) => string, children };
    });
  }

  #collect(type: GraphQLObjectType, nodes: readonly FieldNode[]): Grouped {
    return collectSubfields(adminSchema(), this.#fragments, {}, type, nodes);
  }

  /** A function that writes the selected fields of one concrete type, from `{` on, without `}`. */
  #fields(type: GraphQLObjectType, fields: Grouped, children: ChildRows[], path: AnyField[]): Write {
    const constants: unknown[] = [];
    const keep = (value: unknown) => `c[${constants.push(value) - 1}]`;
    const parts: string[] = [];
    for (const [key, nodes] of fields) {
      const name = nodes[0]?.name.value;
      const label = JSON.stringify(`${parts.length > 0 ? ',' : ''}${JSON.stringify(key)}:`);
      if (name === '__typename') {
        parts.push(`${label} + ${JSON.stringify(JSON.stringify(type.name))}`);
        continue;
      }
      const field = name === undefined ? undefined : type.getFields()[name];
      if (!field || !nodes[0]) continue;
      assertAccess(type, field, this.#shop.scopes);
      if (nodeTypeOf(getNamedType(field.type))) {
        children.push(this.#child(path, field, nodes));
        continue;
      }
      const read = keep(this.#reader(field, nodes[0]));
      // Own properties are read in place; everything else by the reader that graphql-js uses too.
      const value =
        field.args.length > 0 ? `${read}(o)` : `((v = o.${field.name}) === undefined ? ${read}(o) : v)`;
      const write = keep(this.#value(field.type, nodes, type, field, children, path));
      parts.push(`${label} + ${write}(${value})`);
    }
    const code = `let v; return '{' + ${parts.length > 0 ? parts.join(' + ') : "''"};`;
    return new Function('c', `return function (o) { ${code} }`)(constants) as Write;
  }

  #reader(field: AnyField, node: FieldNode): (object: Plain) => unknown {
    const args = getArgumentValues(field, node);
    return (object) => readField(this.#shop, object, field, args);
  }

  /** The rows of a connection, reached from the row above it through plain objects. */
  #child(above: AnyField[], connection: AnyField, nodes: readonly FieldNode[]): ChildRows {
    const path = [...above, connection];
    const writerOf = this.connection(getNamedType(connection.type), nodes);
    const rows = (parent: Plain): Plain[] => {
      let value: unknown = parent;
      for (const field of path) {
        if (value === null || value === undefined) return [];
        value = readField(this.#shop, value as Plain, field);
      }
      return Array.isArray(value) ? value : [];
    };
    return { rows, writerOf };
  }

  #value(
    type: GraphQLOutputType,
    nodes: readonly FieldNode[],
    parent: GraphQLObjectType,
    field: AnyField,
    children: ChildRows[],
    path: AnyField[],
  ): (value: unknown) => string {
    if (isNonNullType(type)) {
      const write = this.#value(type.ofType, nodes, parent, field, children, path);
      return (value) => {
        if (value !== null && value !== undefined) return write(value);
        throw new Error(`Cannot return null for non-nullable field ${parent.name}.${field.name}.`);
      };
    }
    if (isListType(type)) {
      const write = this.#value(type.ofType, nodes, parent, field, children, path);
      return (value) => (value === null ? 'null' : `[${(value as unknown[]).map(write).join(',')}]`);
    }
    const write = isObjectLike(type)
      ? this.#object(type, nodes, children, [...path, field])
      : leafWriter(type);
    return (value) => (value === null || value === undefined ? 'null' : write(value as never));
  }

  #object(
    type: GraphQLNamedType,
    nodes: readonly FieldNode[],
    children: ChildRows[],
    path: AnyField[],
  ): Write {
    const writerOf = perType(type, (concrete) => {
      return this.#fields(concrete, this.#collect(concrete, nodes), children, path);
    });
    return (value: Plain) => `${writerOf(value)(value as never)}}`;
  }
}

function isObjectLike(type: GraphQLNamedType): boolean {
  return 'getFields' in type || 'getTypes' in type;
}

/** One compiled form per concrete type, made when the first row of that type comes. */
function perType<Form>(
  type: GraphQLNamedType,
  make: (concrete: GraphQLObjectType) => Form,
): (row: Plain) => Form {
  if (isObjectType(type)) {
    const form = make(type);
    return () => form;
  }
  const forms = new Map<string, Form>();
  return (row) => {
    const name = typeNameOf(row, type);
    let form = forms.get(name);
    if (form === undefined) {
      const concrete = objectType(name);
      if (!concrete) throw new Error(`The schema has no type ${name}.`);
      form = make(concrete);
      forms.set(name, form);
    }
    return form;
  };
}

function leafWriter(type: GraphQLNamedType): (value: unknown) => string {
  if (isEnumType(type)) return (value) => `"${String(value)}"`;
  switch (type.name) {
    case 'Int':
    case 'Float':
      return (value) => String(value);
    case 'Boolean':
      return (value) => (value ? 'true' : 'false');
    case 'DateTime':
      return (value) => `"${serializeDateTime(value)}"`;
    case 'JSON':
      return (value) => JSON.stringify(value);
    default:
      return (value) => JSON.stringify(typeof value === 'string' ? value : String(value));
  }
}

export function parentTail(parent: Plain): string {
  return `,"__parentId":${JSON.stringify(get(parent, 'id'))}}`;
}

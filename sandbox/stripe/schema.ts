/** Stripe's own description of its objects, used to check what a scenario gives and to fill in the rest. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Place } from '../ndjson.ts';
import { isPlain } from '../plain.ts';
import type { StripeObject } from './objects.ts';

const FILE = new URL('./objects-2026-10-28.schema.json.gz', import.meta.url);

type Schema = {
  $ref?: string;
  anyOf?: Schema[];
  const?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: unknown;
  'x-known-values'?: string[];
};

let definitions: Record<string, Schema> | undefined;

function definition(name: string): Schema {
  definitions ??= (
    JSON.parse(gunzipSync(readFileSync(FILE)).toString('utf8')) as { $defs: Record<string, Schema> }
  ).$defs;
  const found = definitions[name];
  if (!found) throw new Error(`The schema has no object ${name}.`);
  return found;
}

/** The values of a field that Stripe names. */
export function knownValues(object: string, field: string): readonly string[] {
  return definition(object).properties?.[field]?.['x-known-values'] ?? [];
}

/** Fields that the API sends though Stripe's own declarations leave them out. */
const UNDECLARED: Readonly<Record<string, readonly string[]>> = {
  charge: ['destination', 'dispute', 'order'],
  subscription: ['plan', 'quantity'],
};

/** Told of what may be a slip of the pen, though it is served: a field or value that Stripe does not know. */
export type Doubt = (place: Place, problem: string) => void;

/** Checks a draft against the schema of its object; what it leaves out becomes null, empty or zero. */
export function completeBySchema(
  draft: StripeObject,
  object: string,
  place: Place,
  doubt: Doubt,
): StripeObject {
  return fillObject({ id: draft.id, ...draft, object }, definition(object), place, doubt);
}

function fill(value: unknown, given: Schema, place: Place, doubt: Doubt): unknown {
  const schema = branchFor(value, resolved(given));
  if (!schema) return place.fail(`${JSON.stringify(value)} does not fit here`);
  if (value === undefined) return emptyOf(schema, place, doubt);
  const types = typesOf(schema);
  if (types.length > 0 && !types.some((type) => isOfType(value, type))) {
    return place.fail(
      `${JSON.stringify(value)} is not a valid ${types.filter((type) => type !== 'null').join(' or ')}`,
    );
  }
  if (schema.const !== undefined && value !== schema.const) place.fail(`must be "${schema.const}"`);
  if (schema['x-known-values']?.includes(String(value)) === false && typeof value === 'string') {
    doubt(place, `"${value}" is not a value that Stripe names; it is served as it is`);
  }
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item, index) => fill(item, items, place.below(String(index)), doubt)) : value;
  }
  return isPlain(value) ? fillObject(value as StripeObject, schema, place, doubt) : value;
}

function fillObject(draft: StripeObject, schema: Schema, place: Place, doubt: Doubt): StripeObject {
  const { properties, required = [] } = schema;
  if (!properties) return draft;
  const filled: StripeObject = {};
  for (const [field, value] of Object.entries(draft)) {
    const inner = properties[field];
    const known = inner !== undefined || UNDECLARED[properties.object?.const ?? '']?.includes(field);
    if (inner && value !== undefined) {
      filled[field] = fill(listOf(value, inner, draft, field), inner, place.below(field), doubt);
    } else if (value !== undefined) filled[field] = value;
    if (known) continue;
    if (schema.additionalProperties === undefined && Object.keys(properties).length > 1) {
      doubt(place.below(field), 'Stripe has no such field; it is served as it is');
    }
  }
  for (const field of required) {
    const inner = properties[field];
    if (filled[field] === undefined && inner)
      filled[field] = fill(undefined, inner, place.below(field), doubt);
  }
  return filled;
}

/** A list inside an object may be given as the plain array of what is in it. */
function listOf(value: unknown, inner: Schema, { object, id }: StripeObject, field: string): unknown {
  if (!Array.isArray(value) || inner.properties?.object?.const !== 'list') return value;
  return { object: 'list', data: value, has_more: false, url: `/v1/${object}s/${id}/${field}` };
}

function resolved(schema: Schema): Schema {
  return schema.$ref ? definition(schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)) : schema;
}

const branches = new WeakMap<Schema, readonly Schema[]>();

function branchesOf(schema: Schema): readonly Schema[] | undefined {
  const known = branches.get(schema);
  if (known || !schema.anyOf) return known;
  const found = schema.anyOf.map(resolved);
  branches.set(schema, found);
  return found;
}

/** The form of several that a value has. */
function branchFor(value: unknown, schema: Schema): Schema | undefined {
  const branches = branchesOf(schema);
  if (!branches) return schema;
  if (value === undefined) return branches.find(mayBeNull) ?? branches[0];
  if (!isPlain(value))
    return branches.find((branch) => typesOf(branch).some((type) => isOfType(value, type)));
  const objects = branches.filter((branch) => typesOf(branch).includes('object'));
  const named = (value as StripeObject).object;
  return objects.find((branch) => branch.properties?.object?.const === named) ?? objects[0];
}

function emptyOf(schema: Schema, place: Place, doubt: Doubt): unknown {
  if (mayBeNull(schema)) return null;
  if (schema.const !== undefined) return schema.const;
  const [type] = typesOf(schema);
  if (type === 'object') return fillObject({}, schema, place, doubt);
  return type === undefined ? null : EMPTY[type];
}

const EMPTY: Readonly<Record<string, unknown>> = {
  string: '',
  integer: 0,
  number: 0,
  boolean: false,
  array: [],
};

function typesOf({ type }: Schema): string[] {
  if (type === undefined) return [];
  return Array.isArray(type) ? type : [type];
}

function mayBeNull(schema: Schema): boolean {
  return typesOf(schema).includes('null');
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null;
  if (type === 'integer') return Number.isSafeInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isPlain(value);
  return typeof value === type;
}

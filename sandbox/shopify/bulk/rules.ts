import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  getArgumentValues,
  getNamedType,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  validate,
} from 'graphql';
import type { Args } from '../graphql/fields.ts';
import { type AnyField, adminSchema, fieldsOf, isListField, nodeTypeOf } from '../graphql/schema.ts';
import { ROOT_LISTS, type RootList } from '../shop.ts';

const CONNECTIONS_MAX = 5;
const NESTING_MAX = 2;

export type Fragments = Readonly<Record<string, FragmentDefinitionNode>>;
export type BulkQuery = {
  list: RootList;
  field: AnyField;
  node: FieldNode;
  args: Args;
  fragments: Fragments;
};

/** Why Shopify would refuse a bulk query; the text goes into `userErrors`. */
export class BulkRefused extends Error {}

type Seen = { connections: number; missingIds: string[] };

export function readBulkQuery(text: string): BulkQuery {
  const schema = adminSchema();
  const { operation, fragments } = readOperation(text);
  const [node, ...more] = operation.selectionSet.selections;
  if (more.length > 0 || node?.kind !== Kind.FIELD) {
    throw new BulkRefused('Bulk queries must have exactly one top-level field.');
  }
  const name = node.name.value;
  if (name === 'node' || name === 'nodes') {
    throw new BulkRefused(`Bulk queries do not support the top-level field '${name}'.`);
  }
  const field = schema.getQueryType()?.getFields()[name];
  const list = ROOT_LISTS.find((root) => root === name);
  const seen: Seen = { connections: 0, missingIds: [] };
  if (field) visitField(field, node, 0, false, seen, fragments);
  if (seen.connections === 0) throw new BulkRefused('Bulk queries must contain at least one connection.');
  if (seen.connections > CONNECTIONS_MAX) {
    throw new BulkRefused(`Bulk queries cannot contain more than ${CONNECTIONS_MAX} connections.`);
  }
  if (seen.missingIds.length > 0) {
    throw new BulkRefused(
      "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be " +
        `of 'ID' return type. Connection fields without 'id': ${seen.missingIds.join(', ')}.`,
    );
  }
  if (!field || !list) throw new BulkRefused(`The sandbox has no data for bulk queries of '${name}'.`);
  return { list, field, node, args: getArgumentValues(field, node), fragments };
}

function readOperation(text: string): { operation: OperationDefinitionNode; fragments: Fragments } {
  let document: ReturnType<typeof parse>;
  try {
    document = parse(text);
  } catch (error) {
    throw new BulkRefused(`Invalid bulk query: ${error instanceof Error ? error.message : String(error)}`);
  }
  const [fault] = validate(adminSchema(), document);
  if (fault) throw new BulkRefused(`Invalid bulk query: ${fault.message}`);
  const operations = document.definitions.filter((part) => part.kind === Kind.OPERATION_DEFINITION);
  const [operation] = operations;
  if (!operation || operations.length > 1 || operation.operation !== 'query') {
    throw new BulkRefused('Bulk queries must contain exactly one query.');
  }
  if (operation.variableDefinitions?.length) throw new BulkRefused('Bulk queries cannot use variables.');
  const parts = document.definitions.filter((part) => part.kind === Kind.FRAGMENT_DEFINITION);
  return { operation, fragments: Object.fromEntries(parts.map((part) => [part.name.value, part])) };
}

function visitField(
  field: AnyField,
  node: FieldNode,
  depth: number,
  inList: boolean,
  seen: Seen,
  fragments: Fragments,
): boolean {
  const named = getNamedType(field.type);
  const rowType = nodeTypeOf(named);
  if (!node.selectionSet) return false;
  if (!rowType)
    return visitSet(node.selectionSet, named, depth, inList || isListField(field), seen, fragments);
  if (inList) {
    throw new BulkRefused(
      'Queries that contain a connection field within a list field are not currently supported.',
    );
  }
  if (depth > NESTING_MAX) {
    throw new BulkRefused(
      `Bulk queries cannot contain connections with a nesting depth greater than ${NESTING_MAX}.`,
    );
  }
  seen.connections++;
  const rows = rowSets(node.selectionSet, fragments);
  const hasNested = rows
    .map((set) => visitSet(set, rowType, depth + 1, false, seen, fragments))
    .some(Boolean);
  if (hasNested && !rows.some((set) => selectsId(set, fragments))) seen.missingIds.push(field.name);
  return true;
}

/** True when there is a connection below. */
function visitSet(
  set: SelectionSetNode,
  type: GraphQLNamedType,
  depth: number,
  inList: boolean,
  seen: Seen,
  fragments: Fragments,
): boolean {
  let found = false;
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) {
      const field = fieldsOf(type)[selection.name.value];
      if (field && visitField(field, selection, depth, inList, seen, fragments)) found = true;
      continue;
    }
    const part = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
    const partType = part?.typeCondition ? adminSchema().getType(part.typeCondition.name.value) : type;
    if (part && partType && visitSet(part.selectionSet, partType, depth, inList, seen, fragments))
      found = true;
  }
  return found;
}

/** The selections on a connection's rows, below `nodes` or `edges { node }`. */
function rowSets(set: SelectionSetNode, fragments: Fragments): SelectionSetNode[] {
  return set.selections.flatMap((selection): SelectionSetNode[] => {
    if (selection.kind !== Kind.FIELD) {
      const part = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
      return part ? rowSets(part.selectionSet, fragments) : [];
    }
    if (!selection.selectionSet) return [];
    if (selection.name.value === 'edges') return rowSets(selection.selectionSet, fragments);
    return ['node', 'nodes'].includes(selection.name.value) ? [selection.selectionSet] : [];
  });
}

function selectsId(set: SelectionSetNode, fragments: Fragments): boolean {
  return set.selections.some((selection) => {
    if (selection.kind === Kind.FIELD) return selection.name.value === 'id' && !selection.alias;
    const part = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
    return part ? selectsId(part.selectionSet, fragments) : false;
  });
}

import {
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { fieldsOf, nodeTypeOf } from './schema.ts';

export const QUERY_COST_MAX = 1_000;
const MUTATION_COST = 10;
const CONNECTION_BASE = 2;
// Shopify's own formula is not published, only that it grows slower than linear: 250 variants with
// one object below were measured as 25 points. A square root through that point plays it.
const CONNECTION_FACTOR = 0.72;

export type CostQuery = {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  variables: Readonly<Record<string, unknown>>;
};

/** How many rows the connection at a path (response names joined by dots) has or may have. */
export type SizeOf = (path: string, asked: number) => number;

export function costOf(query: CostQuery, sizeOf: SizeOf): number {
  const { schema, operation } = query;
  if (operation.operation === 'mutation') return MUTATION_COST * operation.selectionSet.selections.length;
  const root = schema.getQueryType();
  return root ? Math.max(1, selectionCost(operation.selectionSet, root, '')) : 0;

  function selectionCost(set: SelectionSetNode, type: GraphQLNamedType, path: string): number {
    let sum = 0;
    let dearestBranch = 0;
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const field = fieldsOf(type)[selection.name.value];
        const below = `${path}.${selection.alias?.value ?? selection.name.value}`;
        const asked = sizeAsked(selection.arguments);
        if (field && selection.selectionSet) {
          sum += fieldCost(selection.selectionSet, getNamedType(field.type), below, asked);
        }
        continue;
      }
      const part =
        selection.kind === Kind.INLINE_FRAGMENT ? selection : query.fragments.get(selection.name.value);
      if (!part) continue;
      const condition = part.typeCondition?.name.value ?? type.name;
      const partType = schema.getType(condition);
      if (!isCompositeType(partType)) continue;
      const cost = selectionCost(part.selectionSet, partType, path);
      // Of fragments on different types only one applies to a row.
      if (condition === type.name) sum += cost;
      else dearestBranch = Math.max(dearestBranch, cost);
    }
    return sum + dearestBranch;
  }

  function fieldCost(set: SelectionSetNode, type: GraphQLNamedType, path: string, asked: number): number {
    const rowType = nodeTypeOf(type);
    if (!rowType) return 1 + selectionCost(set, type, path);
    const perRow = rowSelections(set).map((rows) => 1 + selectionCost(rows, rowType, path));
    const rows = sizeOf(path, asked);
    return CONNECTION_BASE + Math.ceil(CONNECTION_FACTOR * Math.sqrt(rows) * Math.max(0, ...perRow));
  }

  /** The selections on the rows themselves: below `nodes`, or below `edges` and `node`. */
  function rowSelections(set: SelectionSetNode): SelectionSetNode[] {
    return set.selections.flatMap((selection): SelectionSetNode[] => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = query.fragments.get(selection.name.value);
        return fragment ? rowSelections(fragment.selectionSet) : [];
      }
      if (!selection.selectionSet) return [];
      if (selection.kind === Kind.INLINE_FRAGMENT || selection.name.value === 'edges') {
        return rowSelections(selection.selectionSet);
      }
      return ['nodes', 'node'].includes(selection.name.value) ? [selection.selectionSet] : [];
    });
  }

  function sizeAsked(args: readonly { name: { value: string }; value: ValueNode }[] | undefined): number {
    const size = args?.find(({ name }) => name.value === 'first' || name.value === 'last')?.value;
    if (size?.kind === Kind.INT) return Number(size.value);
    if (size?.kind === Kind.VARIABLE) return Number(query.variables[size.name.value] ?? 0);
    return 0;
  }
}

export type ThrottleStatus = { maximumAvailable: number; currentlyAvailable: number; restoreRate: number };

/** A shop's bucket of points. It fills by the real clock even where the data stand still in time. */
export class Bucket {
  readonly #size: number;
  readonly #restoreRate: number;
  #available: number;
  #seenAt = performance.now();

  constructor({ size, restoreRate }: { size: number; restoreRate: number }) {
    this.#size = size;
    this.#restoreRate = restoreRate;
    this.#available = size;
  }

  /** Takes the requested cost if the bucket holds it. */
  take(cost: number): boolean {
    this.#refill();
    if (cost > this.#available) return false;
    this.#available -= cost;
    return true;
  }

  giveBack(cost: number): void {
    this.#available = Math.min(this.#size, this.#available + Math.max(0, cost));
  }

  status(): ThrottleStatus {
    this.#refill();
    return {
      maximumAvailable: this.#size,
      currentlyAvailable: Math.floor(this.#available),
      restoreRate: this.#restoreRate,
    };
  }

  #refill(): void {
    const now = performance.now();
    this.#available = Math.min(
      this.#size,
      this.#available + ((now - this.#seenAt) / 1000) * this.#restoreRate,
    );
    this.#seenAt = now;
  }
}

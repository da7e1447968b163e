/** Requests children that did not come with their parent's page, until the list is complete. */
import { z } from 'zod';
import { AnswerNotUnderstood } from '../../kit/errors.ts';
import { type Fields, text } from '../../kit/fields.ts';
import { paginate } from '../../kit/http/paginate.ts';
import { PROVIDER } from '../api/answers.ts';
import type { Shopify, Variables } from '../api/client.ts';
import type { Query } from '../api/queries.ts';
import { type Connection, connectionOf } from './collection.ts';

const listSchema = z.object({
  parent: z
    .object({
      list: z.object({
        nodes: z.array(z.record(z.string(), z.unknown())),
        pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
      }),
    })
    .nullable(),
});

/** One page of the children of the object `id`. */
export async function childPage(shopify: Shopify, query: Query, variables: Variables): Promise<Connection> {
  const { parent } = await shopify.ask(query, variables, listSchema);
  // Deleted between two requests: nothing of it is stored, and an event reports its deletion.
  if (parent === null)
    throw new AnswerNotUnderstood(PROVIDER, query.name, `${variables.id} is gone`, 'retry');
  return connectionOf(parent, 'list');
}

/** The complete list `key` of `node`: what came with it and, by `query`, the rest. */
export async function completeList(
  shopify: Shopify,
  query: Query,
  node: Fields,
  key: string,
): Promise<Fields[]> {
  const { nodes, next } = connectionOf(node, key);
  const all = [...nodes];
  if (next === null) return all;
  const id = text(node, 'id');
  const rest = paginate(async (after: string | null) => {
    const page = await childPage(shopify, query, { id, after: after ?? next });
    return { items: page.nodes, next: page.next };
  });
  for await (const items of rest) all.push(...items);
  return all;
}

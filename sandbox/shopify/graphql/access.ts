import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { GraphQLError, type GraphQLNamedType, getNamedType } from 'graphql';
import { type AnyField, nodeTypeOf } from './schema.ts';

type TypeAccess = { requiredAccess?: string; fields?: Record<string, string> };
type Requirement = { text: string; scopes: string[] };

const { types } = JSON.parse(
  gunzipSync(readFileSync(new URL('./admin-2026-10-access.json.gz', import.meta.url))).toString('utf8'),
) as { types: Record<string, TypeAccess> };
const known = new Map<string, Requirement[]>();

/** Throws Shopify's ACCESS_DENIED when the scopes do not open this field or what it answers with. */
export function assertAccess(parent: GraphQLNamedType, field: AnyField, scopes: readonly string[]): void {
  for (const { text, scopes: wanted } of requirements(parent, field)) {
    if (wanted.some((scope) => scopes.includes(scope))) continue;
    throw new GraphQLError(`Access denied for ${field.name} field. Required access: ${text}`, {
      extensions: {
        code: 'ACCESS_DENIED',
        documentation: 'https://shopify.dev/api/usage/access-scopes',
        requiredAccess: text,
      },
    });
  }
}

function requirements(parent: GraphQLNamedType, field: AnyField): Requirement[] {
  const key = `${parent.name}.${field.name}`;
  let found = known.get(key);
  if (!found) {
    const named = getNamedType(field.type);
    const answer = nodeTypeOf(named) ?? named;
    found = [types[parent.name]?.fields?.[field.name], types[answer.name]?.requiredAccess]
      .filter((text) => text !== undefined)
      .map((text) => ({ text, scopes: scopesIn(text) }))
      .filter((requirement) => requirement.scopes.length > 0);
    known.set(key, found);
  }
  return found;
}

/** Scopes stand in backticks; the rest of the sentence concerns staff permissions, which we do not play. */
function scopesIn(text: string): string[] {
  return [...text.matchAll(/`((?:un)?(?:read|write)_[a-z_]+)`/g)].map(([, scope]) => String(scope));
}

/** Finds a connection by name and brand, by a name that only one brand uses, or by id. */

import type { Db } from '#sql/db/pool.ts';
import { type Brand, findBrand, listBrands } from '#sql/tenants/brands.ts';
import { type Connection, findConnection, listConnections } from '#sql/tenants/connections.ts';
import { NameNotFound } from '#sql/tenants/names.ts';
import { UsageError } from '../ui/errors.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i; // hints of jobs name connections by id

export type Found = { brand: Brand; connection: Connection };

export async function findTheConnection(db: Db, name: string, brandSlug: string | undefined): Promise<Found> {
  if (brandSlug !== undefined && !UUID.test(name)) {
    const brand = await findBrand(db, brandSlug);
    return { brand, connection: await findConnection(db, brand.id, name) };
  }
  const all = await everyConnection(db, brandSlug);
  const found = all.filter(
    ({ connection }) => connection.name === name || connection.id === name.toLowerCase(),
  );
  const [only, second] = found;
  if (only === undefined)
    throw new NameNotFound(
      'connection',
      name,
      all.map(({ connection }) => connection.name),
    );
  if (second === undefined) return only;
  const brands = found.map(({ brand }) => brand.slug).join(', ');
  throw new UsageError(
    `Several brands have a connection ${name}: ${brands}.`,
    `add --brand ${only.brand.slug}`,
  );
}

/** Those of one brand, or all. */
export async function everyConnection(db: Db, brandSlug: string | undefined): Promise<Found[]> {
  const brands = brandSlug === undefined ? await listBrands(db) : [await findBrand(db, brandSlug)];
  const found: Found[] = [];
  for (const brand of brands) {
    const connections = await listConnections(db, brand.id);
    found.push(...connections.map((connection) => ({ brand, connection })));
  }
  return found;
}

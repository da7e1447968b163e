/** Requests for erasures, and what the database still says of a person. */
import type { Identity } from '#sql/privacy/identity.ts';
import { storeRequest } from '#sql/privacy/requests.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import type { TestDb } from '../db/db.ts';
import { dumpOf } from '../db/dump.ts';
import { testSealer } from '../rows/factory.ts';

export async function askErasure(
  db: TestDb,
  { brandId, connectionId }: { brandId: string; connectionId: string | null },
  person: Identity,
): Promise<number> {
  const { id } = await db.transaction((tx) =>
    storeRequest(tx, testSealer, {
      ...{
        brandId,
        connectionId,
        kind: 'erase_person',
        subject: {},
        source: 'operator',
        dueDays: 30,
        person,
      },
    }),
  );
  return id;
}

/** The rows of the brand with any of the texts, or with the digest of the address. */
export async function tracesOf(
  db: TestDb,
  brandId: string,
  texts: readonly string[],
  email?: string,
): Promise<string[]> {
  const { digestOf } = await personKeyOf(db, testSealer, brandId);
  const wanted = [...texts, ...(email === undefined ? [] : [email, digestOf(email) ?? ''])];
  // Bytes are hexadecimal in a dump.
  const forms = wanted.flatMap((text) => [text.toLowerCase(), Buffer.from(text).toString('hex')]);
  const rows = (await dumpOf(db)).filter((row) => row.includes(brandId));
  return rows.filter((row) => forms.some((text) => row.toLowerCase().includes(text)));
}

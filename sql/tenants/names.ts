/** Finds things by their names, with errors for a name that is missing or taken. */
import pg from 'pg';
import { coded } from '#runtime/errors.ts';

export type Kind = 'brand' | 'retailer' | 'connection' | 'campaign' | 'events key' | 'events code';

/** Lists of these are of one brand. */
const OF_A_BRAND: ReadonlySet<Kind> = new Set(['campaign', 'events key', 'events code']);

function listOf(kind: Kind): string {
  return `npx nightshift ${kind}s list${OF_A_BRAND.has(kind) ? ' --brand BRAND' : ''}`;
}

export class NameNotFound extends coded('NS_NAME_NOT_FOUND') {
  constructor(kind: Kind, name: string, known: readonly string[]) {
    const others = known.length === 0 ? 'There is none yet.' : `There are: ${known.join(', ')}.`;
    super(`There is no ${kind} ${name}. ${others}`, {
      hint: known.length === 0 ? `npx nightshift ${kind}s add --help` : listOf(kind),
      context: { kind, name },
    });
  }
}

/** The thing of that name; NS_NAME_NOT_FOUND lists the existing names. */
export function named<T>(kind: Kind, name: string, all: readonly T[], nameOf: (one: T) => string): T {
  const found = all.find((one) => nameOf(one) === name);
  if (found === undefined) throw new NameNotFound(kind, name, all.map(nameOf));
  return found;
}

export class NameTaken extends coded('NS_NAME_TAKEN') {
  constructor(kind: Kind, name: string) {
    super(`There is a ${kind} ${name} already.`, {
      hint: `Use another name, or see it: ${listOf(kind)}`,
      context: { kind, name },
    });
  }
}

export class NameUnfit extends coded('NS_NAME_UNFIT') {
  constructor(kind: Kind, name: string) {
    super(`'${name}' cannot name a ${kind}.`, {
      hint: 'Use 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit.',
      context: { kind, name },
    });
  }
}

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const UNIQUE_VIOLATION = '23505';

export function assertName(kind: Kind, name: string): void {
  if (!NAME.test(name)) throw new NameUnfit(kind, name);
}

/** Runs an insert whose only unique constraint besides the id is the name. */
export async function taking<T>(kind: Kind, name: string, insert: () => Promise<T>): Promise<T> {
  assertName(kind, name);
  try {
    return await insert();
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === UNIQUE_VIOLATION) throw new NameTaken(kind, name);
    throw error;
  }
}

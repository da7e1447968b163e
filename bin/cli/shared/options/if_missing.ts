/** Adds what may exist already: a conflict, unless --if-missing is given. */
import { NightshiftError } from '#runtime/errors.ts';

export type Adding<T> = { ifMissing: boolean | undefined; add: () => Promise<T>; find: () => Promise<T> };

export async function addUnlessThere<T>({
  ifMissing,
  add,
  find,
}: Adding<T>): Promise<{ row: T; added: boolean }> {
  try {
    return { row: await add(), added: true };
  } catch (error) {
    const isThere = error instanceof NightshiftError && error.code === 'NS_NAME_TAKEN';
    if (!isThere || !ifMissing) throw error;
    return { row: await find(), added: false };
  }
}

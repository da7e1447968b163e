/** Ids of Shopify are addresses, gid://shopify/<type>/<number>. We store the last part, as text. */
import { shown } from '#runtime/scrub.ts';
import { type Fields, InvalidField, object, objectOrNull, text } from '../../kit/fields.ts';

const GID = /^gid:\/\/shopify\/[A-Za-z]+\/./;

export function idOf(node: Fields, key = 'id'): string {
  const gid = text(node, key);
  if (!GID.test(gid)) throw new InvalidField(key, `${shown(gid)} is not an id of Shopify`);
  return gid.slice(gid.lastIndexOf('/') + 1);
}

/** The id of the object in the field `key`. */
export function idWithin(node: Fields, key: string): string {
  return idOf(object(node, key));
}

export function idWithinOrNull(node: Fields, key: string): string | null {
  const inner = objectOrNull(node, key);
  return inner && idOf(inner);
}

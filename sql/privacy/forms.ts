/** The forms in which a person may stand in a text, and what takes their place. */
import { isTelling } from '../load/redact/row.ts';
import type { Identity } from './identity.ts';

export type Form = {
  text: string;
  /** What replaces it. */
  by: string;
  /** An address is not found within a longer one; anything else only where no letter or digit touches it. */
  isAddress?: boolean;
};

/** Of a telephone number. */
const DIGITS_MIN = 8;

/** `names`: the pseudonyms of the id and of the digest. */
export function formsOf(
  { customer, email, phone }: Identity,
  { digest, names }: { digest: string | null; names: ReadonlyMap<string, string> },
): Form[] {
  const plain = email?.trim().toLowerCase();
  const digits = phone?.replaceAll(/\D/g, '') ?? '';
  const forms: (Form | undefined)[] = [
    customer !== undefined && isTelling(customer) ? nameOf(customer, names) : undefined,
    digest === null ? undefined : nameOf(digest, names),
    ...(plain ? writtenAs(plain).map((text) => ({ text, by: '[e-mail]', isAddress: true })) : []),
    ...(digits.length >= DIGITS_MIN
      ? [phone?.trim() ?? digits, digits].map((text) => ({ text, by: '[phone]' }))
      : []),
  ];
  return forms.filter((form) => form !== undefined);
}

function nameOf(text: string, names: ReadonlyMap<string, string>): Form {
  return { text, by: names.get(text) ?? '[erased]' };
}

/** Also as in a link, and, with other letters than those of ASCII, as bytes that PostgreSQL writes in octal. */
function writtenAs(address: string): string[] {
  const octal = [...Buffer.from(address)].map((byte) =>
    byte < 0x80 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`,
  );
  const inJson = address.replaceAll(
    /[^\0-\x7f]/g,
    (unit) => `\\\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const link = encodeURIComponent(address).toLowerCase();
  return [...new Set([address, address.replace('@', '%40'), link, octal.join(''), inJson])];
}

/** The last letter or digit of an escape in JSON touches nothing, nor do signs that are octal in bytes: spaces, quotes. */
const ESCAPE = String.raw`(?<=\\([bfnrt]|u[0-9a-f]{4}|302\\[0-7]{3}|342\\20[0-7]\\[0-7]{3}))`;
/** The same in a link; of an address not what may stand in it, such as a plus. */
const PERCENT = '(?<=%[0-9a-f]{2})';
const PERCENT_ADDRESS = '(?<=%([013-9a-f][0-9a-f]|2[0-689acf]))';

/** A pattern of PostgreSQL for one form, without regard to capitals. */
export function patternOf({ text, isAddress }: Form): string {
  const escaped = text.replaceAll(/[^\p{L}\p{N}]/gu, '\\$&');
  return isAddress
    ? `(?:(?<![[:alnum:]._+'-])|${ESCAPE}|${PERCENT_ADDRESS})${escaped}(?![[:alnum:]-]|\\.[[:alnum:]])`
    : `(?:(?<![[:alnum:]])|${ESCAPE}|${PERCENT})${escaped}(?![[:alnum:]])`;
}

/** The forms in which a person may stand in a text, and what takes their place. */
import { isTelling } from '../load/redact/row.ts';
import type { Identity } from './identity.ts';

export type Form = {
  text: string;
  /** What replaces it. */
  by: string;
  /** It counts only where no letter or digit touches it. */
  isWord: boolean;
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
    ...(plain
      ? [plain, plain.replace('@', '%40')].map((text) => ({ text, by: '[e-mail]', isWord: true }))
      : []),
    ...(digits.length >= DIGITS_MIN
      ? [phone?.trim() ?? digits, digits].map((text) => ({ text, by: '[phone]', isWord: true }))
      : []),
  ];
  return forms.filter((form) => form !== undefined);
}

function nameOf(text: string, names: ReadonlyMap<string, string>): Form {
  return { text, by: names.get(text) ?? '[erased]', isWord: true };
}

/** A pattern of PostgreSQL for one form, without regard to capitals. */
export function patternOf({ text, isWord }: Form): string {
  const escaped = text.replaceAll(/[^\p{L}\p{N}]/gu, '\\$&');
  return isWord ? `(?<![[:alnum:]])${escaped}(?![[:alnum:]])` : escaped;
}

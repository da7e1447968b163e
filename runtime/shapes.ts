/**
 * Patterns of what must not leave the process: keys, by the shape that each provider gives them, and personal data.
 * They are data, so that a provider can declare its own. Each pattern meets foreign text, so its time must grow
 * linearly with the text; `test/runtime/patterns.test.ts` holds that.
 */

export type Shape = {
  /** Whose keys, or which kind of personal data. */
  of: string;
  /** Every match contains one of these. They are searched first, because most texts contain none. */
  signs: readonly string[];
  pattern: RegExp;
  /** The replacement; `$1` is the part that may stay. */
  blank: string;
};

export const SECRET = '[secret]';
export const PERSONAL = '[personal]';

/** Keys that belong to no particular provider. */
const commonKeys: readonly Shape[] = [
  // A digit, a sign or its length tells a key from a word: `Basic authentication is required`.
  {
    of: 'HTTP',
    signs: ['earer', 'EARER', 'asic', 'ASIC'],
    pattern: /\b(Bearer|Basic)\s{1,9}(?=[A-Za-z]{0,200}[\d.~+/=_-]|[A-Za-z]{24})[\w.~+/=-]{8,}/gi,
    blank: `$1 ${SECRET}`,
  },
  { of: 'JSON Web Token', signs: ['eyJ'], pattern: /\beyJ[\w-]{8,}(?:\.[\w-]+){0,2}/g, blank: SECRET },
  {
    of: 'PEM',
    signs: ['-----BEGIN'],
    pattern: /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*/g,
    blank: SECRET,
  },
  // user:password@ in an address.
  {
    of: 'address',
    signs: ['://'],
    pattern: /(:\/\/[^\s:/@"]{0,128}):[^\s/"]{1,256}@/g,
    blank: `$1:${SECRET}@`,
  },
];

const PHONE = '[phone]';

const person: readonly Shape[] = [
  {
    of: 'e-mail',
    signs: ['@', '%40', '\\u0040', '&#64;'],
    pattern: /[\p{L}\p{N}._+'-]{1,64}(?:@|%40|\\u0040|&#64;)(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24}/gu,
    blank: '[e-mail]',
  },
  // With a country code: +44 7700 900123, +1 (555) 010-9999.
  { of: 'phone', signs: ['+'], pattern: /(?<![\w+.-])\+[1-9](?:[ ./()-]{0,2}\d){6,14}(?!\d)/g, blank: PHONE },
  // Without a country code: (020) 7946 0958, 0049 30 901820; not a day such as 01.12.2026, not a product code of digits
  // alone.
  {
    of: 'phone',
    signs: ['0'],
    pattern:
      /(?<![\w+.,:/-])(?!\d\d[./-]\d\d[./-]\d{4})(?=\(|\d{1,12}[ ./()-])\(?0\d(?:[ ./()-]{0,2}\d){7,12}(?![\w-])/g,
    blank: PHONE,
  },
  {
    of: 'phone',
    signs: [' ', '.', '-'],
    pattern: /(?<![\w+.,:/-])(?:1[ .-])?\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?![\w-])/g,
    blank: PHONE,
  },
  {
    of: 'phone',
    signs: ['hone', 'HONE'],
    pattern: /\b((?:tele)?phone\w{0,16}\W{1,4})[+(\d][\d ().-]{5,24}/gi,
    blank: `$1${PHONE}`,
  },
];

/** Fields whose values are never written: `apiKey`, `api_key` and `X-API-Key` alike. */
const fieldNames = {
  [SECRET]: [
    ...['password', 'secret', 'token', 'api key', 'access token', 'refresh token', 'authorization'],
    ...[
      'client secret',
      'api secret',
      'private key',
      'profile key',
      'signature',
      'secret key',
      'secret keys',
      'cookie',
    ],
  ],
  [PERSONAL]: [
    ...['email', 'email address', 'customer email', 'receipt email', 'phone', 'phone number', 'mobile'],
    ...['customer phone', 'first name', 'last name', 'full name', 'customer name', 'address 1', 'address 2'],
  ],
};

const NAME_CHARS_MAX = 64;
const blankOfName = new Map(
  Object.entries(fieldNames).flatMap(([blank, list]) =>
    list.map((name): [string, string] => [name.replaceAll(' ', ''), blank]),
  ),
);

/** The replacement for the value of such a field, with any prefix before its name; undefined for other fields. */
export function blankOf(name: string): string | undefined {
  if (name.length > NAME_CHARS_MAX) return undefined;
  const words = name.toLowerCase().split(/[_-]/);
  for (let from = 0; from < words.length; from++) {
    const blank = blankOfName.get(words.slice(from).join(''));
    if (blank) return blank;
  }
  return undefined;
}

/** "token":"…", the same in JSON within JSON, "phone":123 and token=… inside a text. */
const fields: readonly Shape[] = Object.entries(fieldNames).flatMap(([blank, list]) => {
  const spelled = list.map((name) => [...name.replaceAll(' ', '')].join('[_-]?')).join('|');
  const field = (sign: string, source: string, instead: string): Shape => ({
    ...{ of: 'field', signs: [sign], blank: instead },
    pattern: new RegExp(
      source.replace('NAME', `(?:[a-z]{1,16}[_-]){0,3}(?:${spelled})`).replace('COLON', '\\s{0,9}:\\s{0,9}'),
      'gi',
    ),
  });
  return [
    field('"', String.raw`("NAME"COLON")(?:\\.|[^"\\])*`, `$1${blank}`),
    field('\\"', String.raw`(\\"NAME\\"COLON\\")[^"\\]*`, `$1${blank}`),
    field('"', String.raw`("NAME"COLON)(?!null\b|true\b|false\b)[\w.+-]+`, `$1"${blank}"`),
    field('=', String.raw`\b(NAME=)[^\s&"',;]+`, `$1${blank}`),
    // As in a header; a digit tells a value from a word, as in "token: expired".
    field(':', String.raw`\b(NAMECOLON)(?=[\w.+/=-]{0,64}\d)[\w.+/=-]{8,}`, `$1${blank}`),
  ];
});

const known: Shape[] = [...commonKeys, ...fields, ...person];
export const shapes: readonly Shape[] = known;

/** Key shapes of the providers: each provider registers its own when its definition is loaded. */
export function addShapes(added: readonly Shape[]): void {
  known.unshift(...added);
}

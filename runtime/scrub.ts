/**
 * Takes secrets out of what leaves the process: log lines, stored errors, reports to Sentry. It goes
 * by what a secret looks like and by the name it stands under, because an error text of a library
 * or a provider can carry one into any field.
 */

const BLANK = '[secret]';

/** Fields that are never written, whatever they hold: `apiKey`, `api_key` and `API-Key` alike. */
const names = [
  'password',
  'secret',
  'token',
  'apikey',
  'accesstoken',
  'authorization',
  'clientsecret',
  'secretkeys',
];
const namePattern = names.map((name) => [...name].join('[_-]?')).join('|');
const secretName = new RegExp(`^(?:x[_-])?(?:shopify[_-])?(?:${namePattern})$`, 'i');

const patterns: [RegExp, string][] = [
  // Keys of the providers by the prefix that they give them.
  [/\bshp[a-z]{2,4}_[A-Za-z0-9_-]{4,}/g, BLANK], // Shopify
  [/\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{4,}/g, BLANK], // Stripe
  [/\bwhsec_[A-Za-z0-9+/=]{4,}/g, BLANK],
  [/\bSG\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}/g, BLANK], // SendGrid
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${BLANK}`],
  // user:password@ in any address.
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:/@"]*):[^\s/"]+@/gi, `$1:${BLANK}@`],
  // "token":"…" and token=… inside a text.
  [new RegExp(`("(?:${namePattern})"\\s*:\\s*")(?:\\\\.|[^"\\\\])*`, 'gi'), `$1${BLANK}`],
  [new RegExp(`\\b((?:${namePattern})=)[^\\s&"',;]+`, 'gi'), `$1${BLANK}`],
];

/** The text with every secret blanked. */
export function scrub(text: string): string {
  return patterns.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), text);
}

/** The same for whatever JSON can hold. */
export function scrubJson(json: string): string {
  return JSON.stringify(JSON.parse(json), (name, value: unknown) => {
    if (secretName.test(name)) return BLANK;
    return typeof value === 'string' ? scrub(value) : value;
  });
}

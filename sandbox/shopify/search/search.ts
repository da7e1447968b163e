/**
 * Shopify's search syntax: terms joined by AND, OR or a blank (AND), negated by NOT or `-`,
 * with comparators, ranges and quotes. https://shopify.dev/docs/api/usage/search-syntax
 */
export type Comparator = ':' | '<' | '<=' | '>' | '>=';

export type Term = {
  kind: 'term';
  /** Empty for a word without a field. */
  field: string;
  comparator: Comparator;
  value: string;
  /** Whether the value stood in quotes: without them the time part of a date is lost. */
  quoted: boolean;
};

export type Search =
  | Term
  | { kind: 'and'; parts: Search[] }
  | { kind: 'or'; parts: Search[] }
  | { kind: 'not'; part: Search };

type Token = { kind: '(' | ')' | 'and' | 'or' | 'not' } | Term;

export function parseSearch(text: string): Search | undefined {
  const tokens = tokenize(text);
  let at = 0;

  const orChain = (): Search | undefined =>
    chain('or', andChain, () => tokens[at]?.kind === 'or' && ++at > 0);
  const andChain = (): Search | undefined =>
    chain('and', negation, () => {
      const kind = tokens[at]?.kind;
      if (kind === 'and') at++;
      return kind !== undefined && kind !== 'or' && kind !== ')';
    });

  function chain(
    kind: 'and' | 'or',
    next: () => Search | undefined,
    goesOn: () => boolean,
  ): Search | undefined {
    const parts = [next()];
    while (goesOn()) parts.push(next());
    const found = parts.filter((part) => part !== undefined);
    return found.length > 1 ? { kind, parts: found } : found[0];
  }

  function negation(): Search | undefined {
    if (tokens[at]?.kind !== 'not') return primary();
    at++;
    const part = negation();
    return part && { kind: 'not', part };
  }

  function primary(): Search | undefined {
    const token = tokens[at++];
    if (token?.kind === 'term') return token;
    if (token?.kind !== '(') return undefined;
    const inner = orChain();
    if (tokens[at]?.kind === ')') at++;
    return inner;
  }

  return orChain();
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    if (char === undefined || /\s/.test(char)) at++;
    else if (char === '(' || char === ')') {
      tokens.push({ kind: char });
      at++;
    } else if (char === '-') {
      tokens.push({ kind: 'not' });
      at++;
    } else {
      const { token, end } = readWord(text, at);
      tokens.push(token);
      at = end;
    }
  }
  return tokens;
}

function readWord(text: string, start: number): { token: Token; end: number } {
  const named = /^([A-Za-z_][\w.]*):(<=|>=|<|>|=)?/.exec(text.slice(start));
  const field = named?.[1] ?? '';
  const { value, quoted, end } = readValue(text, start + (named?.[0].length ?? 0));
  if (!field && !quoted && /^(AND|OR|NOT)$/.test(value)) {
    return { token: { kind: value.toLowerCase() as 'and' | 'or' | 'not' }, end };
  }
  const sign = named?.[2];
  const comparator: Comparator = sign === undefined || sign === '=' ? ':' : (sign as Comparator);
  return { token: { kind: 'term', field, comparator, value, quoted }, end };
}

function readValue(text: string, start: number): { value: string; quoted: boolean; end: number } {
  const quote = text[start];
  const quoted = quote === '"' || quote === "'";
  let value = '';
  let at = quoted ? start + 1 : start;
  for (; at < text.length; at++) {
    const char = text[at] ?? '';
    if (quoted ? char === quote : /[\s()]/.test(char)) break;
    if (char === '\\' && at + 1 < text.length) value += text[++at];
    else value += char;
  }
  return { value, quoted, end: Math.max(quoted ? at + 1 : at, start + 1) };
}

import { StripeError } from './stripe_error.ts';

/** Parameters as they nest: `created[gte]=1` is `{created: {gte: '1'}}`, `ids[]=a` `{ids: ['a']}`. */
export type Params = { [name: string]: Param };
export type Param = string | string[] | { [name: string]: string };

/**
 * Reads a query string. Brackets may be plain or percent-encoded, and lists may be written `ids[]`
 * or with indexes, `ids[0]`, as the official SDK does.
 */
export function readQuery(search: string): Params {
  const params: Params = {};
  for (const [name, value] of new URLSearchParams(search)) {
    const parts = /^([^[\]]+)(?:\[([^[\]]*)\])?$/.exec(name);
    const [, field, inner] = parts ?? [];
    if (field === undefined) throw new StripeError(400, `Invalid parameter name: ${name}`);
    if (inner === undefined) params[field] = value;
    else if (inner === '' || /^\d+$/.test(inner)) params[field] = [...listOf(params[field]), value];
    else params[field] = { ...recordOf(params[field]), [inner]: value };
  }
  return params;
}

function listOf(value: Param | undefined): string[] {
  return Array.isArray(value) ? value : [];
}

function recordOf(value: Param | undefined): { [name: string]: string } {
  return typeof value === 'object' && !Array.isArray(value) ? value : {};
}

export function textParam(params: Params, name: string): string | undefined {
  const value = params[name];
  if (value !== undefined && typeof value !== 'string')
    throw new StripeError(400, 'Invalid string', { param: name });
  return value;
}

/** `expand` is known everywhere. */
export function assertKnown(params: Params, names: readonly string[]): void {
  for (const param of Object.keys(params)) {
    if (param === 'expand' || names.includes(param)) continue;
    throw unknownParam(param);
  }
}

export function unknownParam(param: string): StripeError {
  const message = `Received unknown parameter: ${param}`;
  return new StripeError(400, message, { code: 'parameter_unknown', param });
}

export function wholeNumber(value: string, param: string): number {
  if (/^-?\d{1,15}$/.test(value)) return Number(value);
  throw new StripeError(400, `Invalid integer: ${value}`, { code: 'parameter_invalid_integer', param });
}

export function readLimit(params: Params): number {
  const limit = wholeNumber(textParam(params, 'limit') ?? '10', 'limit');
  if (limit >= 1 && limit <= 100) return limit;
  const problem = limit < 1 ? 'greater than or equal to 1' : 'less than or equal to 100';
  throw new StripeError(400, `This value must be ${problem}.`, {
    code: 'parameter_invalid_integer',
    param: 'limit',
  });
}

const BOUNDS = ['gt', 'gte', 'lt', 'lte'];

/** The seconds that a filter such as `created[gte]` lets through, as half-open bounds. */
export function readRange(value: Param, param: string): { from: number; to: number } {
  if (typeof value === 'string') {
    const exact = wholeNumber(value, param);
    return { from: exact, to: exact + 1 };
  }
  const range = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };
  for (const [bound, text] of Object.entries(value)) {
    if (Array.isArray(value) || !BOUNDS.includes(bound)) {
      throw unknownParam(`${param}[${bound}]`);
    }
    const second = wholeNumber(text, `${param}[${bound}]`);
    const edge = bound === 'gt' || bound === 'lte' ? second + 1 : second;
    if (bound.startsWith('g')) range.from = Math.max(range.from, edge);
    else range.to = Math.min(range.to, edge);
  }
  return range;
}

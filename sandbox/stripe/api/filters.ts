/** The filters of lists: what a parameter asks of an object. */

import type { StripeObject } from '../objects.ts';
import { type Param, readRange, unknownParam, wholeNumber } from './query.ts';
import { StripeError } from './stripe_error.ts';

export type Filter = {
  /** The field by which a source may have an index. */
  index?: string;
  /** The kind of the object whose id the parameter is: one that nobody knows is refused. */
  names?: string;
  /** Reads the parameter once and gives the test for every object. */
  read(value: Param, param: string): (object: StripeObject) => boolean;
};

/** A field below others, `a.b`. */
export function valueAt(object: StripeObject, path: string): unknown {
  let value: unknown = object;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as StripeObject)[step];
  }
  return value;
}

export function equal(path: string, names?: string): Filter {
  return {
    index: path,
    ...(names === undefined ? {} : { names }),
    read: (value, param) => {
      const wanted = text(value, param);
      return (object) => valueAt(object, path) === wanted;
    },
  };
}

/** One of the values that Stripe knows; any other is refused. */
export function oneOf(path: string, values: readonly string[]): Filter {
  return {
    read: (value, param) => {
      const wanted = known(value, param, values);
      return (object) => valueAt(object, path) === wanted;
    },
  };
}

const CURRENCIES = new Set(Intl.supportedValuesOf('currency').map((code) => code.toLowerCase()));

export const ofCurrency: Filter = {
  read: (value, param) => {
    const wanted = text(value, param).toLowerCase();
    if (CURRENCIES.has(wanted)) return (object) => object.currency === wanted;
    const message = `Invalid currency: ${wanted}. See https://stripe.com/docs/currencies for those that are supported.`;
    throw new StripeError(400, message, { param });
  },
};

export function flag(path: string): Filter {
  return {
    read: (value, param) => {
      if (value !== 'true' && value !== 'false') {
        throw new StripeError(400, `Invalid boolean: ${String(value)}`, { param });
      }
      return (object) => valueAt(object, path) === (value === 'true');
    },
  };
}

export function range(path: string): Filter {
  return {
    read: (value, param) => {
      const { from, to } = readRange(value, param);
      return (object) => {
        const found = valueAt(object, path);
        return typeof found === 'number' && found >= from && found < to;
      };
    },
  };
}

export function anyOf(path: string, valuesMax = Number.POSITIVE_INFINITY): Filter {
  return {
    read: (value, param) => {
      const wanted = Array.isArray(value) ? value : [text(value, param)];
      if (wanted.length > valuesMax) {
        throw new StripeError(400, `You may only specify up to ${valuesMax} values.`, { param });
      }
      return (object) => wanted.includes(String(valueAt(object, path)));
    },
  };
}

/**
 * A parameter with fields of its own, `recurring[interval]=month`, each an exact match below a path.
 * `fields`: the values that Stripe knows, undefined where any may be.
 */
export function fieldsOf(
  path: string,
  fields: Readonly<Record<string, readonly string[] | undefined>>,
): Filter {
  return {
    read: (value, param) => {
      const wanted = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : undefined;
      const unknown = wanted?.find(([name]) => !(name in fields));
      if (!wanted || unknown) {
        throw unknownParam(unknown ? `${param}[${unknown[0]}]` : param);
      }
      for (const [name, one] of wanted) {
        const values = fields[name];
        if (values) known(one, `${param}[${name}]`, values);
      }
      return (object) => wanted.every(([name, one]) => String(valueAt(object, `${path}.${name}`)) === one);
    },
  };
}

/** A test of the items of a subscription: one that fits is enough. */
export function anItem({ read, names }: Filter): Filter {
  return {
    ...(names === undefined ? {} : { names }),
    read: (value, param) => {
      const test = read(value, param);
      return (object) => itemsOf(object).some(test);
    },
  };
}

function itemsOf(object: StripeObject): StripeObject[] {
  const data = valueAt(object, 'items.data');
  return Array.isArray(data) ? data : [];
}

const ENDED = ['canceled', 'incomplete_expired'];
const SUBSCRIPTION_STATUSES = [
  ...['active', 'past_due', 'unpaid', 'canceled', 'incomplete', 'incomplete_expired', 'trialing', 'paused'],
  ...['all', 'ended'],
];

export const subscriptionStatus: Filter = {
  read: (value, param) => {
    const wanted = known(value, param, SUBSCRIPTION_STATUSES);
    if (wanted === 'all') return () => true;
    if (wanted === 'ended') return (object) => ENDED.includes(String(object.status));
    return (object) => object.status === wanted;
  },
};

/** Without a wish for a status, ended subscriptions are left out. */
export function isNotCanceled(object: StripeObject): boolean {
  return object.status !== 'canceled';
}

/** `charge.*` means every type that begins so. */
export const eventType: Filter = {
  read: (value, param) => {
    const wanted = text(value, param);
    if (wanted === '*') return () => true;
    if (!wanted.endsWith('.*')) return (object) => object.type === wanted;
    const start = wanted.slice(0, -1);
    return (object) => String(object.type).startsWith(start);
  },
};

/** The sandbox delivers no webhooks, so every event counts as delivered. */
export const deliverySuccess: Filter = {
  read: (value, param) => {
    const wanted = flag('delivered').read(value, param);
    return () => wanted({ delivered: true });
  },
};

export const wholeNumberAt = (path: string): Filter => ({
  read: (value, param) => {
    const wanted = wholeNumber(text(value, param), param);
    return (object) => valueAt(object, path) === wanted;
  },
});

function known(value: Param, param: string, values: readonly string[]): string {
  const wanted = text(value, param);
  if (values.includes(wanted)) return wanted;
  const list = `${values.slice(0, -1).join(', ')}, or ${values.at(-1)}`;
  throw new StripeError(400, `Invalid ${param}: must be one of ${list}`, { param });
}

function text(value: Param, param: string): string {
  if (typeof value !== 'string') throw new StripeError(400, 'Invalid string', { param });
  if (value !== '') return value;
  const message = `You passed an empty string for '${param}'. We assume empty values are an attempt to unset a field; however '${param}' cannot be unset. You should remove '${param}' from your request or supply a non-empty value.`;
  throw new StripeError(400, message, { code: 'parameter_invalid_empty', param });
}

/** The filters of lists: what a parameter asks of an object. */

import type { StripeObject } from './objects.ts';
import { type Param, readRange, wholeNumber } from './query.ts';
import { StripeError } from './stripe_error.ts';

export type Filter = {
  /** The field by which a source may have an index. */
  index?: string;
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

export function equal(path: string): Filter {
  return {
    index: path,
    read: (value, param) => {
      const wanted = text(value, param);
      return (object) => valueAt(object, path) === wanted;
    },
  };
}

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

/** A parameter with fields of its own, `recurring[interval]=month`, each an exact match below a path. */
export function fieldsOf(path: string, names: readonly string[]): Filter {
  return {
    read: (value, param) => {
      const wanted = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : undefined;
      const unknown = wanted?.find(([name]) => !names.includes(name));
      if (!wanted || unknown) {
        const name = unknown ? `${param}[${unknown[0]}]` : param;
        throw new StripeError(400, `Received unknown parameter: ${name}`, {
          code: 'parameter_unknown',
          param: name,
        });
      }
      return (object) => wanted.every(([name, text]) => valueAt(object, `${path}.${name}`) === text);
    },
  };
}

/** A test of the items of a subscription: one that fits is enough. */
export function anItem(path: string, how: (path: string) => Filter): Filter {
  return {
    read: (value, param) => {
      const test = how(path).read(value, param);
      return (object) => itemsOf(object).some(test);
    },
  };
}

function itemsOf(object: StripeObject): StripeObject[] {
  const data = valueAt(object, 'items.data');
  return Array.isArray(data) ? data : [];
}

const ENDED = ['canceled', 'incomplete_expired'];

export const subscriptionStatus: Filter = {
  read: (value, param) => {
    const wanted = text(value, param);
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

function text(value: Param, param: string): string {
  if (typeof value === 'string') return value;
  throw new StripeError(400, 'Invalid string', { param });
}

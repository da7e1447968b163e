/**
 * A provider's object as its API gives it. Fields that answer with a connection hold a plain array.
 * Some objects compute their fields when they are read, so only `get` looks inside.
 */
export type Plain = object;

export function get(object: Plain, field: string): unknown {
  return (object as Record<string, unknown>)[field];
}

export function getText(object: Plain, field: string): string | undefined {
  const value = get(object, field);
  return typeof value === 'string' ? value : undefined;
}

export function getList(object: Plain, field: string): Plain[] {
  const value = get(object, field);
  return Array.isArray(value) ? value : [];
}

export function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

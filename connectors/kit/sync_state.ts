/**
 * Where a stream goes on from. It is JSON in `ops.positions`, written with each page; what it says is for
 * the provider to declare, as a schema.
 */
import { z } from 'zod';
import type { Json } from '#sql/load/table.ts';

/** A field of a state: text in JSON, a date here. */
export const instant = z.iso.datetime().transform((text) => new Date(text));

/** Nothing is stored before the first page. */
export function parseState<S extends z.ZodType>(schema: S, stored: unknown): z.output<S> {
  return schema.parse(stored ?? {});
}

/** Dates become text, as JSON writes them. */
export function stateJson(state: object): Json {
  return JSON.parse(JSON.stringify(state)) as Json;
}

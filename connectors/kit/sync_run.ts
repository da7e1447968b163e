/** The run of a stream and the state that it leaves, for any provider. */
import { z } from 'zod';
import type { Json } from '#sql/load/table.ts';
import type { Page, StreamContext } from './stream.ts';

/** A field of a state: text in JSON, a date here. */
export const instant = z.iso.datetime().transform((text) => new Date(text));

/** Nothing is stored before the first page. */
export function parseState<S extends z.ZodType>(schema: S, stored: unknown): z.output<S> {
  return schema.parse(stored ?? {});
}

export type SyncRun<Position extends object> = {
  context: StreamContext;
  /** As the last page left it. */
  position: Position;
  /** Fields that every position of this run contains. */
  fixed: Partial<Position>;
  phase: Page['phase'];
};

/** Creates a run; stores nothing. */
export function newRun<S extends z.ZodType<object>>(context: StreamContext, schema: S): SyncRun<z.output<S>> {
  return { context, position: parseState(schema, context.position), fixed: {}, phase: 'changes' };
}

/** A page without a position, for the caller to fill. */
export function emptyPage({ phase }: { phase: Page['phase'] }) {
  return { phase, items: [], rejected: [] } satisfies Page;
}

/** A run with failed checks is incomplete. */
export function withFailures<P extends Page>(page: P): P {
  const causes = (page.checks ?? []).flatMap(({ ok, cause }) => (ok ? [] : (cause ?? [])));
  return causes.length === 0 ? page : { ...page, incomplete: causes.join('; ') };
}

/** Moves to `position`: returns an empty page that stores it, for the caller to fill. */
export function checkpoint<P extends object>(run: SyncRun<P>, position: P) {
  run.position = { ...position, ...run.fixed };
  const json = JSON.parse(JSON.stringify(run.position)) as Json; // dates become text
  return { ...emptyPage(run), position: json };
}

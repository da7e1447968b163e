/** Declares a stream of Ayrshare. Nothing there can be asked for by a time of change, so each says when it is due. */
import type { Table } from '#sql/load/table.ts';
import { defineStream } from '../kit/define_stream.ts';
import type { Page, Stream, StreamContext } from '../kit/stream.ts';
import { checkpoint } from '../kit/sync_run.ts';
import { type Ayrshare, openAyrshare } from './api/client.ts';
import { openRun, type Run, type State } from './sync/sync_state.ts';

type Facts = {
  name: string;
  tables: readonly Table[];
  feeds?: readonly string[];
  read(run: Run, ayrshare: Ayrshare): AsyncIterable<Page>;
  fetch?(run: Run, ayrshare: Ayrshare, ids: readonly string[]): AsyncIterable<Page>;
};

export function ayrshareStream({ name, tables, feeds, read, fetch }: Facts): Stream {
  return defineStream({
    ...{ name: `ayrshare.${name}`, provider: 'ayrshare', scopes: [], tables },
    ...(feeds && { feeds }),
    pages(context: StreamContext) {
      return read(openRun(context), openAyrshare(context));
    },
    ...(fetch && {
      fetch(context: StreamContext, ids: readonly string[]) {
        const run = openRun(context);
        run.fixed = run.position;
        return fetch(run, openAyrshare(context), ids);
      },
    }),
    needsBackfill: (position) => (position as Partial<State> | null)?.day === undefined,
  });
}

/** A page that stores this change of the state, for the caller to fill. */
export function saved(run: Run, change: Partial<State>) {
  return checkpoint(run, { ...run.position, ...change });
}

/**
 * What the driver of a fault did and saw, a line each, in a file outside the database under test. Lines are only ever
 * appended. The checker reads the file, so what it believes is what was on disk.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Event = { at: number } & (
  | { what: 'asked'; label: string }
  | { what: 'acked'; label: string }
  | { what: 'begun'; label: string; worker: string }
  | { what: 'fault'; kind: string; worker?: string }
  | { what: 'healed'; kind: string }
  | { what: 'refused'; worker: string }
  | { what: 'ended'; worker: string; how: number | NodeJS.Signals }
);

type Unstamped<E> = E extends unknown ? Omit<E, 'at'> : never;

export type History = AsyncDisposable & {
  add(event: Unstamped<Event>): void;
  read(): Event[];
};

/** In a directory that is removed at scope end. */
export async function openHistory(): Promise<History> {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-history-'));
  const path = join(dir, 'history.ndjson');
  const file = openSync(path, 'a');
  return {
    add: (event) => void writeSync(file, `${JSON.stringify({ at: performance.now(), ...event })}\n`),
    read: () =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    async [Symbol.asyncDispose]() {
      closeSync(file);
      await rm(dir, { recursive: true });
    },
  };
}

/** The events of one kind, as what they are. */
export function eventsOf<W extends Event['what']>(events: readonly Event[], what: W) {
  return events.filter((event): event is Extract<Event, { what: W }> => event.what === what);
}

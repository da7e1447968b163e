/**
 * A missing permission fails the streams that need it, by a check that stays until they can be read, and no other one:
 * a stream that takes a new permission must not stop those that an account already has.
 */
import type { Json } from '#sql/load/table.ts';
import { Denied } from './errors.ts';
import { type Fields, isObject } from './fields.ts';
import type { Page, Stream, StreamContext } from './stream.ts';
import { emptyPage } from './sync_run.ts';

/** `bi.completeness` leaves out a stream whose failure of this name a person has accepted. */
const PERMISSION = 'permission';
/** In the position: when it was denied, if that was the last thing the provider said. The next position omits it. */
const DENIED_AT = 'deniedAt';
/** So that it is asked for once in each night. */
const PAUSE_MS = 20 * 60 * 60_000;

export function unlessDenied(stream: Stream): Stream {
  const { pages, fetch } = stream;
  return {
    ...stream,
    pages: (context) => judged(stream, context, pages),
    ...(fetch && {
      async *fetch(context, ids) {
        try {
          yield* fetch(context, ids);
        } catch (error) {
          yield partDenied(causeOf(stream, error));
        }
      },
    }),
  };
}

async function* judged(stream: Stream, context: StreamContext, pages: Stream['pages']): AsyncGenerator<Page> {
  let position = fieldsOf(context.position);
  try {
    for await (const page of pages(context)) {
      const wasDenied = isDenied(position);
      if (page.position !== undefined) position = fieldsOf(page.position);
      const isOver = wasDenied && !isDenied(position);
      yield isOver ? { ...page, checks: [...(page.checks ?? []), { name: PERMISSION, ok: true }] } : page;
    }
  } catch (error) {
    const cause = causeOf(stream, error);
    if (context.window) return yield partDenied(cause);
    const denied = { ...position, [DENIED_AT]: context.now().toISOString() } as Json;
    const checks = [{ name: PERMISSION, ok: false, cause }];
    yield { ...emptyPage({ phase: 'changes' }), position: denied, checks };
  }
}

/** Whether the provider denied the stream the last time that it was asked for everything new. */
export function isDenied(position: unknown): boolean {
  return fieldsOf(position)[DENIED_AT] !== undefined;
}

/**
 * Whether it was denied so recently that the runs of its account do not ask again. What a person did to the key since,
 * the last time at `keyAt`, may have granted it.
 */
export function isPaused(position: unknown, { keyAt, now }: { keyAt: Date | null; now: Date }): boolean {
  const deniedAt = Date.parse(String(fieldsOf(position)[DENIED_AT])); // NaN is paused by no comparison
  const isRecent = now.getTime() - deniedAt < PAUSE_MS;
  return isRecent && (keyAt === null || keyAt.getTime() <= deniedAt);
}

function fieldsOf(position: unknown): Fields {
  return isObject(position) ? position : {};
}

/** A part does not move the position, which must say whether the check fails: the next whole run makes it. */
function partDenied(incomplete: string): Page {
  return { ...emptyPage({ phase: 'changes' }), incomplete };
}

/** The same each time, because a person may accept it. */
function causeOf({ scopes, costs }: Stream, error: unknown): string {
  if (!(error instanceof Denied)) throw error;
  const { provider, answer, needs } = error;
  const what = needs ?? `${scopes.join(', ')} (${answer})`;
  const without = costs === undefined ? '' : `, so there are not ${costs}`;
  return `${provider} denies what needs ${what}${without}: grant it to the key, or buy the plan that has it`;
}

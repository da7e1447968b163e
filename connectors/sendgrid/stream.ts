/** Declares a stream of SendGrid: what it reads by the hour, by night and by week, on top of the kit. */
import { isAlone } from '../kit/account_run.ts';
import { defineStream } from '../kit/define_stream.ts';
import { RequestRefused } from '../kit/errors.ts';
import type { Page, Stream } from '../kit/stream.ts';
import { checkpoint, emptyPage } from '../kit/sync_run.ts';
import { dayIn } from './api/calendar.ts';
import { type Extent, needsBackfill, openRun, type Position, type SendGridRun } from './sync/sync_run.ts';

const WEEK_MS = 7 * 24 * 60 * 60_000;
/** A reading that was broken off longer ago begins anew: too much has changed. */
const REST_MS_MAX = 24 * 60 * 60_000;

export type Reading = {
  run: SendGridRun;
  extent: Extent;
  /** When it began. */
  at: Date;
  /** Where an earlier run broke off. */
  next: string | undefined;
};

/**
 * Content of a page. `next` is where a later run goes on if this one ends behind it; `isPart` says that what vanished
 * from a list could not be told, so that the week's reading is still to come.
 */
export type Step = Partial<Omit<Page, 'phase' | 'position'>> & { next?: string; isPart?: boolean };

/**
 * True once everything up to the beginning of the reading is stored, or the instant up to which it is; false if nothing
 * is known.
 */
export type Steps = AsyncGenerator<Step, boolean | Date>;

export type SendGridFacts = Pick<
  Stream,
  'scopes' | 'scopesOptional' | 'feeds' | 'tables' | 'dependents' | 'fetch' | 'deliver'
> & {
  name: string;
  costs: string;
  read(reading: Reading): Steps;
  /** What is worth a request each hour. Absent: nothing is read between two nights. */
  hour?(reading: Reading): Steps;
  /** A window again; without it, as much as a week takes. */
  window?(run: SendGridRun, window: { since: Date; until: Date }): Steps;
};

export function sendgridStream({ name, read, hour, window, ...facts }: SendGridFacts): Stream {
  return defineStream({
    ...{ name: `sendgrid.${name}`, provider: 'sendgrid', needsBackfill },
    ...facts,
    pages: (context) => pagesOf(openRun(context), { read, hour, window }),
  });
}

type Readers = Pick<SendGridFacts, 'read'> & {
  hour: SendGridFacts['hour'] | undefined;
  window: SendGridFacts['window'] | undefined;
};

async function* pagesOf(run: SendGridRun, { read, hour, window }: Readers): AsyncGenerator<Page> {
  const { context, position } = run;
  const at = context.now();
  if (context.window) {
    const again = window?.(run, context.window) ?? read({ run, extent: 'week', at, next: undefined });
    for await (const { next: _, isPart: __, ...content } of again) yield { ...emptyPage(run), ...content };
    return;
  }
  const isDone = context.full && position.caughtUp === context.request;
  const rest = restOf(run, at);
  const extent = isDone ? undefined : (rest?.extent ?? extentAt(run, at));
  if (extent === undefined || extent === 'hour') context.keepWarnings();
  if (extent === undefined) return;
  if (extent === 'all' && position.changesTo === undefined) run.phase = 'first_load';
  const reading: Reading = { run, extent, at: rest?.at ?? at, next: rest?.next };
  const steps = extent === 'hour' ? hour?.(reading) : read(reading);
  if (steps === undefined) return;
  try {
    yield* stored(run, reading, steps);
  } catch (error) {
    if (rest === undefined || !(error instanceof RequestRefused)) throw error;
    // Where an earlier run broke off is not known there any more: from the beginning.
    const { rest: _, ...begun } = run.position;
    run.position = begun;
    const anew = { ...reading, at, next: undefined };
    yield* stored(run, anew, read(anew));
  }
}

/** What an earlier run left of the same reading. */
function restOf({ context, position: { rest, deniedAt } }: SendGridRun, at: Date): Position['rest'] {
  if (rest === undefined || deniedAt !== undefined || at.getTime() - rest.at.getTime() > REST_MS_MAX)
    return undefined;
  return context.full && rest.request !== context.request ? undefined : rest;
}

/** Once a day of the account more is read than by the hour, and once a week even more. */
function extentAt({ context, position, zone }: SendGridRun, at: Date): Extent | undefined {
  const { changesTo, nightAt, weekAt, deniedAt } = position;
  const isToday = (other: Date | undefined) => other !== undefined && dayIn(zone, other) === dayIn(zone, at);
  const alone = isAlone(context.account);
  if (context.full) return 'all';
  if (changesTo === undefined) return 'all';
  if (isToday(nightAt) && deniedAt === undefined && !alone) return 'hour';
  return weekAt !== undefined && at.getTime() - weekAt.getTime() < WEEK_MS ? 'night' : 'week';
}

async function* stored(run: SendGridRun, { extent, at }: Reading, steps: Steps): AsyncGenerator<Page> {
  const { context, position: before } = run;
  const { rest: _, deniedAt: __, ...position } = before;
  const request = context.full ? { request: context.request } : {};
  let isPart = false;
  for (;;) {
    const { done, value } = await steps.next();
    if (done) {
      if (value === false && extent === 'hour') return;
      const changesTo = value instanceof Date ? value : value ? at : position.changesTo;
      const dated = {
        ...(extent !== 'hour' && { nightAt: at }),
        ...((extent === 'all' || extent === 'week') && !isPart && { weekAt: at }),
        ...(context.full && { caughtUp: context.request }),
      };
      yield checkpoint(run, { ...position, changesTo, ...dated });
      return;
    }
    const { next, isPart: isPartOf = false, ...content } = value;
    isPart ||= isPartOf;
    const page =
      next === undefined
        ? emptyPage(run)
        : checkpoint(run, { ...position, rest: { at, extent, next, ...request } });
    yield { ...page, ...content };
  }
}

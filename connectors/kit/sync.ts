/**
 * The course of a run, alike for all streams that keep a copy: all there is or what is left of it, then what
 * changed.
 */
import type { Page, StreamContext } from './stream.ts';

export type SyncWindow = NonNullable<StreamContext['window']>;

export type SyncSteps<P extends Page = Page> = {
  /** Reads a window again. The position stays where it is. */
  resync(window: SyncWindow): AsyncIterable<P>;
  /** Absent where everything was read once. False: nothing was read, and nothing else may be. */
  backfill?: (() => AsyncGenerator<P, boolean>) | undefined;
  increment(): AsyncIterable<P>;
  /** Holds what is stored against a fresh list. */
  reconcile?(): AsyncIterable<P>;
  /** Checks at the end of a run that read to the end. */
  verify?(): AsyncIterable<P>;
};

export async function* syncPages<P extends Page>(
  run: { context: StreamContext; phase: Page['phase'] },
  { resync, backfill, increment, reconcile, verify }: SyncSteps<P>,
): AsyncGenerator<P> {
  const { window, reconcile: isReconciling } = run.context;
  if (window) return yield* resync(window);
  if (backfill) {
    run.phase = 'first_load';
    if (!(yield* backfill())) return;
    run.phase = 'changes';
  }
  yield* increment();
  // A backfill has just listed everything.
  if (isReconciling && !backfill && reconcile) yield* reconcile();
  if (verify) yield* verify();
}

/**
 * The course of a run, the same for all streams that keep a copy: the backfill or the rest of it, then changes.
 */
import type { Page, StreamContext } from './stream.ts';

export type SyncWindow = NonNullable<StreamContext['window']>;

export type SyncSteps<P extends Page = Page> = {
  /** Reads a window again. The position stays. */
  resync(window: SyncWindow): AsyncIterable<P>;
  /** Absent once everything was read. Returns false if it read nothing; then nothing else may be read. */
  backfill?: (() => AsyncGenerator<P, boolean>) | undefined;
  increment(): AsyncIterable<P>;
  /** Compares what is stored with a fresh list. */
  reconcile?(): AsyncIterable<P>;
  /** Checks at the end of a complete run. */
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

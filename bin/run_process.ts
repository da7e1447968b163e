/** What every long-running process does around its work: signals, configuration, log, error reports, exit code. */
import { type Config, readConfig } from '#runtime/config.ts';
import { type Log, makeLog } from '#runtime/log.ts';
import { type Sentry, startSentry } from '#runtime/sentry.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { endOnUncaught } from '#runtime/uncaught.ts';
import { firstCause } from './cli/ui/errors.ts';
import { exitCodeOf } from './cli/ui/exit_codes.ts';

export type Work = {
  config: Config;
  log: Log;
  /** Resolves to the signal that tells the process to stop. */
  stop: ReturnType<typeof stopSignal>;
  report: Sentry['capture'];
};

/** Runs `work` until it ends; an error that it throws is logged and reported, and decides the exit code. */
export async function runProcess(name: string, work: (given: Work) => Promise<void>): Promise<void> {
  const stop = stopSignal(); // from here on, so that a signal during the start is not lost
  const log = makeLog('info', name);
  endOnUncaught((error) => log.fatal({ err: error }, 'nobody caught this'));
  try {
    const config = readConfig(process.env);
    log.level = config.logLevel;
    await using sentry = await startSentry(config.sentryDsn, name);
    await work({ config, log, stop, report: sentry.capture }).catch((error) => {
      sentry.capture(firstCause(error));
      throw error;
    });
  } catch (thrown) {
    const error = firstCause(thrown);
    log.fatal({ err: error }, `the ${name} ends`);
    process.exitCode = exitCodeOf(error);
  }
}

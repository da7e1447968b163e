/**
 * Reports errors to Sentry, or to a service with its envelope protocol, when SENTRY_DSN is set; without
 * it nothing is loaded and nothing is sent. A report holds the error, its code and verdict and the
 * ids of its context: no requests, no rows, no names of people or machines, and no secrets.
 */
import type { ErrorEvent } from '@sentry/node';
import { NightshiftError } from './errors.ts';
import { scrubJson } from './scrub.ts';
import { onUncaught } from './uncaught.ts';

export type Sentry = AsyncDisposable & {
  /** `tags` are short names and ids, to search by: the task, the stream. */
  capture(error: unknown, tags?: Record<string, string>): void;
};

const FLUSH_MS_MAX = 5_000;

/** Leaving the scope flushes pending reports. */
export async function startSentry(dsn: string | undefined, process: string): Promise<Sentry> {
  if (dsn === undefined) return { capture() {}, async [Symbol.asyncDispose]() {} };
  const sdk = await import('@sentry/node');
  sdk.initWithoutDefaultIntegrations({
    dsn,
    // The default integrations also record console output, outgoing requests and local variables, and print
    // uncaught errors unscrubbed.
    integrations: [sdk.linkedErrorsIntegration()],
    dataCollection: { userInfo: false },
    includeServerName: false,
    enableRuntimeChannelInjection: false,
    sendClientReports: false,
    initialScope: { tags: { process } },
    beforeSend: clean,
  });
  const uncaught = onUncaught((error) => {
    sdk.captureException(error, { mechanism: { handled: false, type: 'uncaught' } });
    return sdk.flush(FLUSH_MS_MAX);
  });
  return {
    capture(error, tags = {}) {
      const known = error instanceof NightshiftError ? { code: error.code, verdict: error.verdict } : {};
      const extra = error instanceof NightshiftError ? { ...error.context, hint: error.hint } : {};
      // One class of errors may tell of many things: those of two brands, say, are two issues.
      const fingerprint = ['{{ default }}', ...Object.values(tags)];
      sdk.captureException(error, { tags: { ...tags, ...known }, extra, fingerprint });
    },
    [Symbol.asyncDispose]: async () => {
      uncaught[Symbol.dispose]();
      await sdk.close(FLUSH_MS_MAX);
    },
  };
}

function clean(event: ErrorEvent): ErrorEvent {
  return JSON.parse(scrubJson(JSON.stringify(event)));
}

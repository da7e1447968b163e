/** Fails in the way that it is told, with Sentry on: node report.ts <dsn> <way>. */
import '#connectors/providers.ts'; // brings what their keys look like
import { coded } from '#runtime/errors.ts';
import { startSentry } from '#runtime/sentry.ts';
import { endOnUncaught } from '#runtime/uncaught.ts';

class KeyRefused extends coded('NS_CREDENTIALS_REJECTED') {}

endOnUncaught();
const [, , dsn, way] = process.argv;
await using sentry = await startSentry(dsn || undefined, 'worker');
if (way === 'known') {
  const error = new KeyRefused('The key shpat_0123456789abcdef was refused by postgres://u:hunter2@db.', {
    hint: 'Store a new key.',
    verdict: 'hold',
    context: { connectionId: 'c-1', token: 'plain-token' },
    cause: new Error('401 for sk_live_0123456789abcdef'),
  });
  sentry.capture(error, { task: 'sync_stream' });
} else {
  const error = new Error('nobody caught this sk_live_0123456789abcdef');
  if (way === 'unhandled') void Promise.reject(error);
  else
    setTimeout(() => {
      throw error;
    });
  await new Promise(() => {}); // the work that this process was doing
}

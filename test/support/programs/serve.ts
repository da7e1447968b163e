/** Uses the embedded server of a data directory until it is told to stop: node serve.ts <dataDir>. */
import { makeLog } from '#runtime/log.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { openServer } from '#sql/embedded/open_server.ts';

const stop = stopSignal();
await using server = await openServer({ dataDir: process.argv[2] ?? '', log: makeLog('warn', 'serve') });
console.log(server.url);
await stop;

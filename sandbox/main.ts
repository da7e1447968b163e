#!/usr/bin/env node
/** Serves the sandbox until told to stop: `node sandbox/main.ts [--data DIR] [--port N] [--host H]`. */
import { parseArgs } from 'node:util';
import { startSandbox } from './server.ts';

const { values } = parseArgs({
  options: { data: { type: 'string' }, port: { type: 'string' }, host: { type: 'string' } },
});
try {
  const sandbox = await startSandbox({
    port: Number(values.port ?? 0),
    host: values.host,
    data: values.data,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  process.stdout.write(`${JSON.stringify({ url: sandbox.url, now: sandbox.now ?? null })}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void sandbox[Symbol.asyncDispose]().then(() => process.exit(0)));
  }
  process.once('disconnect', () => process.exit(0)); // whoever started us as a child is gone
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

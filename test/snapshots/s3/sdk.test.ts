/** The SDK of the store is large, and most processes never need it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import project from '../../../package.json' with { type: 'json' };

const CODE = `
  const { registerHooks } = await import('node:module');
  let seen = 0;
  const resolve = (name, context, next) => (name.startsWith('@aws-sdk/') && seen++, next(name, context));
  registerHooks({ resolve });
  const { snapshotServices } = await import('./bin/cli/shared/snapshots.ts');
  await import('./tasks/index.ts');
  const bucket = { bucket: 'b', prefix: '', endpoint: 'http://127.0.0.1:9', pathStyle: true };
  const { store } = snapshotServices({ snapshots: { dir: '/nowhere', bucket, minutes: 1, rate: 0 } }, '');
  const before = seen;
  await store.brands().catch(() => {});
  console.log(JSON.stringify([before, seen > 0]));`;

test('the SDK is a dependency of the product, and loaded when a bucket is first used', async () => {
  expect(project.dependencies).toHaveProperty('@aws-sdk/client-s3');
  const cwd = join(import.meta.dirname, '../../..');
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', CODE], {
    cwd,
  });
  expect(JSON.parse(stdout)).toEqual([0, true]);
});

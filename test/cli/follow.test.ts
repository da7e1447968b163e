import { expect, test } from 'vitest';
import { follow, patience } from '../../bin/cli/shared/follow.ts';
import { startProgress } from '../../bin/cli/ui/progress.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { aShopToSync } from '../support/providers/cli_shop.ts';
import { NOW, setFaults } from '../support/providers/sandbox.ts';
import { add, aWorker, runs } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { twoBrands } from '../support/rows/two_brands.ts';

test('a wait that is over says what kept each job, and its time covers whatever is waited for in turn', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using _ = await aWorker(db);
  const done = { id: await add(db, effect, { label: 'a' }), label: 'quick' };
  const late = { id: await add(db, effect, { label: 'b', fail: 'wait' }), label: 'slow' };
  await eventually(async () =>
    expect((await runs(db)).map(({ outcome }) => outcome).sort()).toEqual(['snoozed', 'succeeded']),
  );
  using progress = startProgress({ write: () => true });
  const lines: string[] = [];
  const seen = {
    show: (shown: readonly string[]) => lines.push(...shown),
    note: () => {},
    [Symbol.dispose]() {},
  };
  await follow([late], { db, progress: seen, patience: patience(0) }).catch(() => {});
  expect(lines).toEqual([expect.stringMatching(/^1 job waiting, the next until \d\d:\d\d:\d\d$/)]);
  const options = { db, progress, patience: patience(0) };
  expect(await follow([done], options)).toMatchObject([{ state: 'succeeded' }]);
  await expect(follow([late], options)).rejects.toMatchObject({
    code: 'NS_WAIT_TIMED_OUT',
    message: expect.stringContaining('slow (The provider is in trouble.)'),
  });
});

test('a wait for what is paused says so, and what resumes it', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme, brio] = await twoBrands(db);
  for (const brand of ['acme', 'brio'])
    await nightshift(['jobs', 'pause', '--brand', brand, '--reason', 'weekend'], {
      env: { DATABASE_URL: db.url },
    });
  const job = { id: await add(db, effect, { ...acme, label: 'a' }), label: 'shop' };
  await add(db, effect, { ...brio, label: 'b' });
  const lines: string[] = [];
  const progress = {
    show: (shown: readonly string[]) => lines.push(...shown),
    note: () => {},
    [Symbol.dispose]() {},
  };
  await expect(follow([job], { db, progress, patience: patience(0) })).rejects.toMatchObject({
    message: expect.stringMatching(
      /shop \(paused by \S+: weekend\)\. The work continues once it is resumed\./,
    ),
    hint: 'npx nightshift jobs resume --brand acme',
  });
  expect(lines).toEqual([expect.stringMatching(/^shop +paused by \S+: weekend$/)]);
});

test('a command that did the work itself hands it back as soon as its wait is over', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  await setFaults(shop.sandbox, { kind: 'slow', ms: 15_000 }); // longer than the wait, shorter than a drain
  const sync = ['sync', 'run', '--brand', 'acme', '--stream', 'shopify.shop', '--now', NOW];
  const { code } = await nightshift([...sync, '--wait', '--timeout', '5s'], { env: shop.env });
  expect(code).toBe(5);
  expect(await runs(db)).toMatchObject([{ outcome: 'released' }]);
  expect(await db.column('select attempts from graphile_worker.jobs')).toEqual([0]);
});

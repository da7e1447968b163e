/** A restored database holds whom its brand erases afterwards: it is named until it is dropped. */
import { expect, test } from 'vitest';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { nightshift } from '../../support/cli.ts';
import { freshDb } from '../../support/db/db.ts';
import { examine, wrongOf } from '../../support/doctor.ts';
import { TEST_KEYS, twoShops } from '../../support/rows/factory.ts';
import { runTask } from '../../support/run.ts';
import { aStore, fillYear, runSnapshot } from '../../support/snapshots/snapshots.ts';

test('an erasure names the restored databases of the brand, and doctor those that are older', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const shops = await twoShops(db);
  const [{ brand }] = shops;
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const run = (line: string) => nightshift([...line.split(' '), '--json'], { env });
  const names: string[] = [];
  const restore = async (shop: (typeof shops)[number]) => {
    const { snapshot } = await runSnapshot(db, place, shop.brand.id);
    const name = `copy_${String(snapshot).slice(0, 8)}`;
    names.push(name);
    const line = `snapshots restore ${snapshot} --brand ${shop.brand.slug} --into database --name ${name}`;
    expect(await run(line)).toMatchObject({ code: 0 });
    return name;
  };
  try {
    for (const shop of shops) await fillYear(db, shop.brand.id, shop.connection.id, 20);
    const [before, foreign] = [await restore(shops[0]), await restore(shops[1])];
    const old = async () => wrongOf((await examine(db, env)).checks, 'copies of persons');
    expect(await old()).toEqual([]);

    const asked = await run(
      `privacy erase --brand ${brand.slug} --email anna@example.com --yes ${brand.slug}`,
    );
    expect(asked).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`in psql: drop database ${before}`),
    });
    expect(asked.stderr).not.toContain(foreign);
    const [{ request, copies } = { request: 0, copies: [] }] = asked.json() as {
      request: number;
      copies: object[];
    }[];
    expect(copies).toMatchObject([{ kind: 'database', name: before, drop: `drop database ${before}` }]);

    await runTask(privacyErase, { brandId: brand.id, request }, db);
    const after = await restore(shops[0]);
    const shown = await run(`privacy show ${request} --brand ${brand.slug}`);
    expect(shown.json()).toMatchObject([{ copies: [{ name: before }] }]);
    const named = [
      {
        severity: 'warning',
        evidence: expect.stringContaining(`database ${before} has rows of a snapshot of ${brand.slug}`),
        mend: `in psql: drop database ${before}`,
      },
    ];
    expect(await old()).toEqual(named);
    await db.query(`drop database ${before}`);
    expect(await old()).toEqual([]);
    const again = await run(`privacy erase --brand ${brand.slug} --email bo@example.com --dry-run`);
    expect(again.json()).toMatchObject([{ copies: [{ name: after }] }]);
  } finally {
    for (const name of names) await db.query(`drop database if exists ${name} with (force)`);
  }
});

/** A list whose filter names what cannot exist is refused: an empty list would say that there is none of it. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { aShop, TEST_KEYS } from '../support/rows/factory.ts';

const FILTERS: readonly (readonly [line: string, ...filters: string[]])[] = [
  ['audit', '--brand', '--action'],
  ['retailers list', '--brand'],
  ['connections list', '--brand'],
  ['campaigns list', '--brand'],
  ['events codes list', '--brand'],
  ['failures list', '--task', '--brand', '--connection', '--state'],
  ['jobs list', '--task', '--brand', '--connection', '--state', '--failure'],
  ['jobs list --finished', '--task', '--brand', '--connection', '--state', '--failure'],
  ['mail list --brand BRAND', '--brand', '--state', '--connection'],
  ['nights list', '--brand'],
  ['nights show', '--brand'],
  ['periods list', '--brand'],
  ['privacy requests', '--brand'],
  ['rankings list --brand BRAND', '--brand', '--period'],
  ['restatements list', '--brand'],
  ['schedules list', '--brand', '--connection'],
  ['snapshots list', '--brand'],
  ['stock list --brand BRAND', '--brand', '--retailer'],
  ['sync status', '--brand'],
];

test('each filter of a list that names one of known things refuses others, and names those', async () => {
  await using db = await freshDb();
  const { brand } = await aShop(db);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  for (const [line, ...filters] of FILTERS)
    for (const filter of filters) {
      const words = line.replace('BRAND', brand.slug).split(' ');
      const { code, stdout, stderr } = await nightshift([...words, filter, 'nope'], { env });
      expect({ line, filter, stdout, refused: code === 2 || code === 3, stderr }).toEqual({
        ...{ line, filter, stdout: '', refused: true },
        stderr: expect.stringMatching(/nope/),
      });
    }
});

test('an action of the audit log is refused with the known ones of its noun, unless the log has it from before', async () => {
  await using db = await freshDb();
  const audit = (action: string) =>
    nightshift(['audit', '--action', action], { env: { DATABASE_URL: db.url } });
  expect((await audit('nope')).stderr).toContain('or one of brands, campaigns, connections');
  expect((await audit('periods.shut')).stderr).toContain('one of periods.close, periods.reopen');
  for (const known of ['periods', 'periods.close', 'fx.withdraw'])
    expect(await audit(known)).toMatchObject({ code: 0, stderr: '' });
  await db.query("insert into ops.audit_log (actor, action, target) values ('test', 'periods.shut', 'x')");
  expect(await audit('periods.shut')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('periods.shut'),
  });
});

/** The command line of campaigns: what a person types, wrong things included. */
import { expect, test } from 'vitest';
import { type Campaign, editCampaign, removeCampaign } from '#sql/campaigns/campaigns.ts';
import { addLink } from '#sql/campaigns/links.ts';
import { storeSpend } from '#sql/campaigns/spend.ts';
import type { Tx } from '#sql/db/pool.ts';
import { aSeller } from '../support/campaigns.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { TEST_KEYS } from '../support/rows/factory.ts';

const run = (db: TestDb, brand: string, words: string, input?: string) =>
  nightshift([...words.split(' '), '--brand', brand], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
    ...(input !== undefined && { input }),
  });

test('a file of spend is taken as a whole or not at all, names every fault, and changes nothing the second time', async () => {
  await using db = await freshDb();
  const { brand, brandId } = await aSeller(db);
  const cli = (words: string, input?: string) => run(db, brand.slug, words, input);
  expect(await cli('campaigns add spring --from 2026-03-01 --until 2026-05-31')).toMatchObject({ code: 0 });
  const wrong = [
    'campaign,day,amount,currency,source',
    'spring,2026-03-01,12.50,GBP,ads',
    'sprung,2026-03-02,1,GBP,ads',
    'spring,2026-02-30,"1,5",GBP,ads',
    'spring,2026-03-03,-1,XXX,ads',
    'spring,2026-03-01,9,GBP,ads',
  ];
  const refused = await cli('campaigns spend --file -', wrong.join('\n'));
  expect(refused.code).toBe(2);
  for (const said of [
    'line 4, day',
    'line 4, amount',
    'line 5, amount',
    'line 5, currency',
    'Nothing was stored',
  ])
    expect(refused.stderr).toContain(said);
  const named = await cli('campaigns spend --file -', [wrong[0], wrong[1], wrong[2], wrong[5]].join('\r\n'));
  expect(named.stderr).toMatch(
    /line 3, campaign .?sprung.?: there is no.*line 4: says the same .* as line 2/s,
  );
  const yen = (amount: string) => `campaign,day,amount,currency\nspring,2026-03-01,${amount},JPY\n`;
  expect(await cli('campaigns spend --file -', yen('77.77'))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('line 2, amount 77.77: has more decimal places than JPY, which has none'),
  });
  expect(await cli('campaigns spend --dry-run --file -', yen('77.00'))).toMatchObject({ code: 0 });
  expect(await db.column('select * from app.campaign_spend')).toEqual([]);

  const right =
    '\uFEFFday,campaign,currency,amount\n2026-03-01,spring,GBP,12.50\n\n2026-03-02,spring,GBP,7\n';
  expect((await cli('campaigns spend --dry-run --file -', right)).stdout).toContain('Would store 2 lines');
  expect(await db.column('select * from app.campaign_spend')).toEqual([]);
  expect((await cli('campaigns spend --file -', right)).stdout).toContain(
    'Stored 2 lines of standard input.',
  );
  expect((await cli('campaigns spend --file -', right)).stdout).toContain('nothing changes');
  await cli('campaigns spend spring --day 2026-03-01 --amount 3 --currency GBP --source print');
  expect(
    await db.column('select sum(amount)::text from app.campaign_spend where brand_id = $1', [brandId]),
  ).toEqual(['22.50']);
  const marked = "select distinct day::text from ops.marks where subject = 'campaigns' order by 1";
  expect(await db.column(marked)).toEqual(['2026-03-01', '2026-03-02']);
});

test('each mistake gets one answer that says what to do', async () => {
  await using db = await freshDb();
  const { brand } = await aSeller(db);
  const cli = (words: string) => run(db, brand.slug, words);
  await cli('campaigns add spring');
  await cli('campaigns add summer --budget 100 --currency GBP');
  await cli('campaigns link spring discount_code TEN');
  for (const [words, code, said] of [
    ['campaigns add spring', 4, 'There is a campaign spring already'],
    ['campaigns add autumn --budget 5', 2, '--budget and --currency go together'],
    ['campaigns add autumn --from 2026-05-02 --until 2026-05-01', 2, '--until must not lie before --from'],
    ['campaigns show winter', 3, 'There are: spring, summer'],
    ['campaigns link summer discount_code ten', 4, 'names campaign spring already'],
    ['campaigns unlink summer discount_code ten', 3, 'does not name campaign summer'],
    ['campaigns link summer code ten', 2, 'Allowed choices are'],
    ['campaigns spend summer --day 2026-05-01', 2, '--day, --amount and --currency are needed'],
    [
      'campaigns spend summer --day 2026-05-01 --amount 7.7 --currency JPY',
      2,
      'more decimal places than JPY',
    ],
    ['campaigns add autumn --budget 1.2345 --currency KWD', 2, 'more decimal places than KWD, which has 3'],
    ['campaigns spend', 2, 'name a campaign, or give a --file'],
    ['campaigns window 9000', 2, 'from 0 to 8760'],
    ['campaigns spend --file /no/such.csv', 3, 'There is no file'],
  ] as const) {
    const { code: got, stderr } = await cli(words);
    expect([words, got, stderr]).toEqual([words, code, expect.stringContaining(said)]);
  }
  expect((await cli('campaigns show spring')).stdout).toContain('discount_code  ten');
  expect((await cli('campaigns list')).stdout).toContain('summer');
});

test('whatever comes beside the removal of its campaign waits, and is then told that there is none', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  const { brandId } = seller;
  const actor = { actor: 'test' };
  const spend = { day: '2026-03-01', currency: 'GBP', source: 'ads', amount: '1' };
  const late: ((tx: Tx, campaign: Campaign) => Promise<unknown>)[] = [
    (tx, campaign) => addLink(tx, campaign, { kind: 'hashtag', value: 'x' }, actor),
    (tx, { id }) => storeSpend(tx, { brandId, target: 'spring', ...actor }, [{ ...spend, campaignId: id }]),
    (tx, campaign) => editCampaign(tx, campaign, { name: 'Spring' }, actor),
    (tx, campaign) => removeCampaign(tx, campaign, actor),
  ];
  for (const comesLate of late) {
    const campaign = await seller.campaign('spring');
    await using removing = await openTransaction(db);
    await removeCampaign(removing.tx, campaign, actor);
    const stored = db.transaction((tx) => comesLate(tx, campaign));
    stored.catch(() => {});
    await untilSomebodyWaitsFor(db, removing);
    await removing.commit();
    await expect(stored).rejects.toMatchObject({ code: 'NS_CAMPAIGN_GONE', verdict: 'give_up' });
  }
  expect(await db.column('select value from app.campaign_links')).toEqual([]);
  const said = await db.column(
    "select action from ops.audit_log where action like 'campaigns.%' order by id",
  );
  expect(said).toEqual(late.flatMap(() => ['campaigns.add', 'campaigns.remove']));
});

/** What ties events to letters: it must come through everything that drops what may name a person. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scrubbed } from '#runtime/scrub.ts';
import { checkedCampaign } from '#tasks/mail/templates.ts';
import { eventsOf } from '../../connectors/sendgrid/events/event.ts';
import { freshDb } from '../support/db/db.ts';
import { aMailbox, aSender, received, runLetter } from '../support/mail/mail.ts';
import { assertHolds } from '../support/property.ts';
import { anEvent } from '../support/providers/sendgrid.ts';

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 });
// Digits more often than letters, as a number of a telephone would have.
const digits = fc.string({ unit: fc.constantFrom(...'00123456789a'), minLength: 32, maxLength: 32 });
const campaigns = fc.string({ unit: fc.constantFrom(...'abcz019_.:-'), minLength: 1, maxLength: 40 });

function isCampaign(name: string): boolean {
  try {
    return checkedCampaign(name) === name;
  } catch {
    return false;
  }
}

test('token, recipient and campaign survive what blanks personal data', async () => {
  const personOf = () => 'somebody';
  const kept = (event: object) => {
    const { items } = eventsOf([event], { personOf, source: 'webhook', readAt: new Date() });
    const [item] = items;
    return item && 'rows' in item ? item.rows['raw.sendgrid_events']?.[0]?.payload : undefined;
  };
  await assertHolds(
    fc.property(fc.oneof(hex, digits), hex, campaigns.filter(isCampaign), (id, person, campaign) => {
      const token = id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      const args = { ns_mail: token, ns_recipient: person, ns_campaign: campaign };
      expect(scrubbed(args)).toEqual(args);
      expect(kept(anEvent('open', '2026-11-20T05:30:00Z', args))).toEqual(args);
    }),
    300,
  );
});

test('what became of letters shows in the list by their events, each of its own brand', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const [sender, other] = [await aSender(db, box), await aSender(db, box)];
  const to = ['ann@example.com', 'bounce@example.com'];
  const ids = await sender.queue({ to, campaign: 'autumn' });
  for (const id of ids) await runLetter(db, id);
  for (const id of await other.queue()) await runLetter(db, id);
  const reached = (of: { brandId: string }) =>
    db.rows(
      `select m.campaign, e.kind from ops.mail m
       join fact.mail_events e on e.brand_id = m.brand_id and e.connection_id = m.connection_id and e.mail_id = m.id::text
       where m.brand_id = $1 order by 2`,
      [of.brandId],
    );
  // Both connections are of one account, whose log has the letters of both brands.
  const logged = (await received(box)).map((_, at) => `sandbox-acme-${at}.filter.sandbox.0`);
  for (const one of [sender, other]) await one.sync('events', { ids: logged });
  expect(await reached(sender)).toEqual([
    ...['bounce', 'delivered', 'processed', 'processed'].map((kind) => ({ campaign: 'autumn', kind })),
  ]);
  expect(await reached(other)).toHaveLength(2);
  const [campaign] = await db.column(
    `select distinct campaign from fact.email_events where brand_id = $1 and event_id like 'sandbox-acme-0%'`,
    [sender.brandId],
  );
  expect(campaign).toBe('category:autumn');
});

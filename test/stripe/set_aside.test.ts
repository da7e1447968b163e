/** Objects of Stripe that cannot be stored are set aside, without what is kept of no object. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { by, fakeProvider, json } from '../support/providers/provider.ts';
import { ACCOUNT, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { connectStripe } from '../support/providers/stripe_sync.ts';

const BUYER = 'buyer@example.com';
const KEPT_OF_NONE = {
  charges: { receipt_email: BUYER, billing_details: { email: BUYER } },
  customers: { email: BUYER, name: BUYER, shipping: { name: BUYER } },
  disputes: { evidence: { customer_email_address: BUYER } },
  invoices: { customer_email: BUYER, hosted_invoice_url: `https://pay.example/${BUYER}` },
  payment_intents: { client_secret: BUYER, receipt_email: BUYER },
  refunds: { instructions_email: BUYER },
};

test('who the buyer is stays out of what is set aside, and so do secrets and links', async () => {
  await using db = await freshDb();
  await using stripe = await fakeProvider(
    by(({ path }) => {
      if (path.startsWith('/stripe/v1/account')) return json({ object: 'account', id: ACCOUNT });
      const [name, left] =
        Object.entries(KEPT_OF_NONE).find(([one]) => path.startsWith(`/stripe/v1/${one}?`)) ?? [];
      const object = {
        id: `${name}_1`,
        object: name?.slice(0, -1),
        created: NOW_SECONDS - 60,
        amount: 'much',
        currency: 7,
      };
      return json({ object: 'list', has_more: false, data: name ? [{ ...object, ...left }] : [] });
    }),
  );
  const account = await connectStripe(db, { url: stripe.url });
  const window = { since: '2026-11-01T00:00:00Z', until: NOW };
  for (const stream of Object.keys(KEPT_OF_NONE))
    expect(await account.sync(stream, window), stream).toMatchObject({ rejected: 1 });
  expect(await db.column('select distinct payload ->> $1 from ops.rejected_rows', ['amount'])).toEqual([
    'much',
  ]);
  const told = 'select row_key from ops.rejected_rows where strpos(payload::text, $1) > 0';
  expect(await db.column(told, [BUYER])).toEqual([]);
});

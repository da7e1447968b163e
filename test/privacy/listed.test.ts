/** A complete list of suppressions, and an erasure beside it: who is in the list is not taken for deleted. */
import { expect, test } from 'vitest';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb } from '../support/db/db.ts';
import { askErasure } from '../support/privacy/ask.ts';
import { connectSendGrid, NOW, sendgridSandbox } from '../support/providers/sendgrid.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { runTask } from '../support/run.ts';

const email = 'anna@example.com';

test('an erasure behind any transaction of a complete reading leaves the suppression of the person', async () => {
  await using sandbox = await sendgridSandbox({
    unsubscribes: [{ email, created: NOW_SECONDS - 86_400 }],
  });
  await using db = await freshDb();
  let isErased = true;
  for (let behind = 1; isErased; behind++) {
    const mail = await connectSendGrid(db, sandbox);
    const { brandId, connectionId } = mail;
    await mail.sync('unsubscribes');
    const request = await askErasure(db, { brandId, connectionId: null }, { email });
    let left = behind;
    isErased = false;
    const beside = aroundTransactions(db, async (transaction) => {
      const result = await transaction();
      if (--left === 0) {
        isErased = true;
        await runTask(privacyErase, { brandId, request }, db);
      }
      return result;
    });
    const reading = { brandId, connectionId, now: NOW, stream: 'sendgrid.unsubscribes', full: true };
    await runTask(syncStream, { ...reading, request: crypto.randomUUID() }, beside, { control: db });
    const live = await mail.rows('unsubscribes', "email_hash like 'erased:%' as erased");
    expect([behind, live]).toEqual([behind, [{ erased: isErased }]]);
    expect(behind).toBeLessThan(50);
  }
});

/** A stream that does not say up to when it was read is no success: the figures that rest on it would never be final. */
import { expect, test } from 'vitest';
import type { Stream } from '#connectors/kit/stream.ts';
import { builtIn, makeKeyring, providerSet } from '#connectors/providers.ts';
import { syncConnection } from '#tasks/sync_connection.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { twoBrands } from '../support/acorn/bench.ts';
import { withAcorn } from '../support/acorn/provider.ts';
import { opensStream } from '../support/acorn/streams.ts';
import { testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const feeding: Stream = { ...opensStream, feeds: ['email'] };
const silent: Stream = {
  ...feeding,
  async *pages(context) {
    for await (const page of opensStream.pages(context))
      yield { ...page, ...(page.position && { position: { ...page.position, changesTo: undefined } }) };
  },
};
const reading = (...streams: Stream[]) => ({
  services: makeKeyring(
    testSealer,
    [],
    providerSet([...builtIn.providers, { ...withAcorn.providerOf('acorn'), streams }]),
  ),
});

test('a stream of figures without changesTo in its position is partial, by itself and in the run of its account', async () => {
  await using bench = await twoBrands();
  const { db, one, other } = bench;
  const of = ({ brandId, connectionId }: typeof one) => ({ brandId, connectionId });
  const stream = 'acorn.opens';
  const NEVER = expect.stringMatching(
    /acorn\.opens ends without `changesTo` .* no day of email could be final/,
  );
  const tally = await runTask(syncStream, { ...of(one), stream }, db, reading(silent));
  expect(tally).toMatchObject({ read: 3, incomplete: NEVER });
  expect(await runTask(syncConnection, of(one), db, reading(silent))).toMatchObject({
    streams: { [stream]: { incomplete: NEVER } },
  });
  const whole = await runTask(syncStream, { ...of(other), stream }, db, reading(feeding));
  expect(whole).not.toHaveProperty('incomplete');
  const states = 'select state from ops.positions where brand_id = $1';
  expect(await db.column(states, [one.brandId])).toEqual(['partial']);
  expect(await db.column(states, [other.brandId])).toEqual(['ok']);
});

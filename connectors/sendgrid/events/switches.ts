/** What the account's own list says of the Event Webhook that posts to us. */
import { ScopeMissing } from '../../kit/errors.ts';
import type { RequestContext } from '../../kit/request_context.ts';
import type { Check } from '../../kit/stream.ts';
import { isOurs, type Subscription } from '../../kit/subscriptions.ts';
import { PROVIDER } from '../key.ts';
import { webhooks } from '../webhooks.ts';

const NAME = 'webhook settings';

/** Nothing where the key may not read them. Without a webhook of ours, another consumer passes its events on. */
export async function settingsChecks(context: RequestContext): Promise<Check[]> {
  const listing = await webhooks.list(context).catch((error: unknown) => {
    if (error instanceof ScopeMissing) return undefined;
    throw error;
  });
  if (listing === undefined) return [];
  const path = `/${context.connection.id}`;
  const ours = listing.subscriptions.filter((one) => isOurs(one, path));
  const wanted = listing.wanted.flatMap(({ topics }) => topics);
  const fault = ours.length === 0 ? undefined : faultOf(ours, wanted);
  if (fault === undefined) return [{ name: NAME, ok: true }];
  const { name, brand } = context.connection;
  const cause = `the Event Webhook of ${PROVIDER} ${fault}: npx nightshift connections webhooks add ${name} --brand ${brand}`;
  return [{ name: NAME, ok: false, cause }];
}

function faultOf(ours: readonly Subscription[], wanted: readonly string[]): string | undefined {
  const enabled = ours.filter(({ isEnabled }) => isEnabled);
  if (enabled.length === 0) return 'is switched off';
  const lacking = wanted.filter((topic) => !enabled.some(({ topics }) => topics.includes(topic)));
  return lacking.length === 0 ? undefined : `does not bring ${lacking.join(', ')}`;
}

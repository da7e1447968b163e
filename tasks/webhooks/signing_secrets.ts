/** Opens what verifies deliveries of a connection, and what signs those that are forwarded. */
import type { Webhook } from '#connectors/kit/webhook.ts';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import type { Receiver } from '#sql/webhooks/secrets.ts';

/** One that cannot be opened is no reason to refuse what others verify; throws where none can. */
export function signingSecrets(
  { ownSecrets }: Pick<Webhook, 'ownSecrets'>,
  { brandId, connectionId, name, auth, key, secrets }: Receiver,
  { sealer, log }: { sealer: Sealer; log: Log },
): string[] {
  const place = { brandId, connectionId, name };
  const opening = secrets.map((one) => () => [sealer.open(one, { ...place, use: 'webhook' })]);
  if (ownSecrets !== undefined)
    opening.push(() => [...ownSecrets({ auth, secret: sealer.open(key, { ...place, use: 'secret' }) })]);
  const opened: string[] = [];
  const faults: unknown[] = [];
  for (const open of opening) {
    try {
      opened.push(...open());
    } catch (error) {
      log.error({ connection: name, reason: messageOf(error) }, 'a webhook secret cannot be opened');
      faults.push(error);
    }
  }
  if (opened.length === 0 && faults.length > 0) throw faults[0];
  return opened;
}

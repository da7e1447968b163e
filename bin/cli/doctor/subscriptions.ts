/** Whether the provider of a connection delivers what it should. Only where it is known where providers reach us. */
import { isHarmless } from '#connectors/kit/subscriptions.ts';
import { providerOf } from '#connectors/providers.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import { inspect, type Subscriber } from '#tasks/webhooks/subscriptions.ts';
import { count } from '../ui/format.ts';
import { type Finding, warning } from './check.ts';

export async function subscriptionsOf(
  asked: Pick<Subscriber, 'db' | 'sealer' | 'connection' | 'signal'>,
  publicUrl: string | undefined,
): Promise<Finding[]> {
  const { connection } = asked;
  const provider = providerOf(connection.provider);
  const { webhooks } = provider;
  if (webhooks === undefined || publicUrl === undefined) return [];
  const { name, brand } = connection;
  const inspection = await inspect({ ...asked, provider, webhooks, baseUrl: publicUrl }).catch(unseen);
  if (typeof inspection === 'string')
    return [
      warning(
        `Whether all that ${name} of ${brand} follows is delivered cannot be seen: ${inspection}`,
        `npx nightshift connections webhooks check ${name} --brand ${brand}`,
      ),
    ];
  const faults = inspection.findings.filter((finding) => !isHarmless(finding));
  const [first, ...others] = faults.map(({ says }) => says);
  if (first === undefined) return [];
  const more = others.length > 0 ? `, and ${count(others.length, 'other')}` : '';
  return [
    warning(
      `Not all that ${name} of ${brand} follows is delivered. ${first}${more}`,
      `npx nightshift connections webhooks add ${name} --brand ${brand}`,
    ),
  ];
}

/** A key that reads all data need not be one that reads subscriptions. */
function unseen(error: unknown): string {
  if (error instanceof NightshiftError && error.code === 'NS_SCOPE_MISSING') return messageOf(error);
  throw error;
}

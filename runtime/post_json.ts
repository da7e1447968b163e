/** Sends JSON to an address that an operator has configured. Throws where it is not taken. */
import { request } from 'undici';
import { coded } from './errors.ts';

const TIMEOUT_MS = 10_000;

export class DeliveryRefused extends coded('NS_DELIVERY_REFUSED') {
  constructor(url: string, status: number) {
    super(`${new URL(url).host} answered ${status} to a delivery.`, {
      hint: 'See what it wants; the delivery is tried again.',
      context: { status },
    });
  }
}

export async function postJson(
  url: string,
  body: string,
  { headers, signal }: { headers: Record<string, string>; signal: AbortSignal },
): Promise<void> {
  const { statusCode, body: answer } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'Nightshift/0.1', ...headers },
    body,
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  await answer.dump({ limit: 64 * 1024, signal });
  if (statusCode < 200 || statusCode >= 300) throw new DeliveryRefused(url, statusCode);
}

/** Sends to an address that an operator has configured: an alert, or a ping. Throws where it is not taken. */
import { request } from 'undici';
import { coded } from './errors.ts';

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 64 * 1024;

export class DeliveryRefused extends coded('NS_DELIVERY_REFUSED') {
  constructor(url: string, status: number) {
    super(`${new URL(url).host} answered ${status} to a delivery.`, {
      hint: 'See what it wants; the delivery is tried again.',
      context: { status },
    });
  }
}

type Delivery = { headers: Record<string, string>; signal: AbortSignal };

export function postJson(url: string, body: string | Buffer, { headers, signal }: Delivery): Promise<void> {
  return send(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
    signal,
  });
}

/** Says that a promise was kept to whoever raises an alarm when nobody says so. */
export function ping(url: string, signal: AbortSignal): Promise<void> {
  return send(url, { method: 'GET', body: null, headers: {}, signal });
}

/** A redirect is an answer like any other that is not 2xx: it is not followed. */
async function send(
  url: string,
  { method, body, headers, signal }: Delivery & { method: 'GET' | 'POST'; body: string | Buffer | null },
): Promise<void> {
  const { statusCode, body: answer } = await request(url, {
    ...{ method, body, headers: { 'user-agent': 'Nightshift/0.1', ...headers } },
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  await answer.dump({ limit: ANSWER_BYTES_MAX, signal });
  if (statusCode < 200 || statusCode >= 300) throw new DeliveryRefused(url, statusCode);
}

/**
 * What Shopify passes on of the law. The signature of a delivery does not cover its topic, so the body must have what
 * tells that of the topic from others: an order that is sent again under another topic erases nobody. More than that is
 * not asked of it, because what cannot be read is done for nobody.
 * https://shopify.dev/docs/apps/build/privacy-law-compliance
 */
import { z } from 'zod';
import type { Identity } from '#sql/privacy/identity.ts';
import type { PrivacyRequest } from '#sql/privacy/requests.ts';
import { orders as ordersTable } from './streams/order_tables.ts';

/** Each must be completed within 30 days. */
const DUE_DAYS = 30;

const id = z.union([z.int(), z.string().regex(/^\d{1,30}$/)]).transform(String);
const ids = z
  .unknown()
  .optional()
  .transform((all) => (Array.isArray(all) ? all.flatMap((one) => id.safeParse(one).data ?? []) : []));
/** No other delivery has these two. */
const shop = { shop_id: id, shop_domain: z.string().min(1).max(255) };
const absent = z.undefined().optional();
const contact = z.string().trim().min(3).max(320);
const customer = z.object({
  id,
  // A text that is none would be looked for, and replaced, wherever it stands.
  email: contact
    .regex(/^[^\s@]+@[^\s@]+$/)
    .optional()
    .catch(undefined),
  phone: contact.optional().catch(undefined),
});
const request = z.object({
  ...{ ...shop, customer, orders_requested: ids, orders_to_redact: absent },
  data_request: z.object({ id }).optional().catch(undefined),
});
const redaction = z.object({
  ...{ ...shop, customer, orders_to_redact: ids, orders_requested: absent, data_request: absent },
});
const closing = z.object({ ...shop, customer: absent });

/** Undefined for another topic; throws for a body that is not of it. */
export function privacyOf(topic: string, body: unknown): PrivacyRequest | undefined {
  switch (topic) {
    case 'customers/data_request': {
      const {
        customer: one,
        orders_requested: orders,
        data_request: asked,
        shop_domain,
      } = request.parse(body);
      return made(
        'export',
        { customer: one.id, orders, ...(asked && { request: asked.id }) },
        shop_domain,
        personOf(one, orders),
      );
    }
    case 'customers/redact': {
      const { customer: one, orders_to_redact: orders, shop_domain } = redaction.parse(body);
      return made('erase_person', { customer: one.id, orders }, shop_domain, personOf(one, orders));
    }
    case 'shop/redact': {
      const { shop_id, shop_domain } = closing.parse(body);
      return made('erase_account', { shop: shop_id }, shop_domain);
    }
    default:
      return undefined;
  }
}

/** Orders without a customer are named one by one. */
function personOf({ id: own, email, phone }: z.output<typeof customer>, orders: string[]): Identity {
  const objects = orders.length > 0 && { objects: { [ordersTable.name]: orders } };
  return { customer: own, ...(email && { email }), ...(phone && { phone }), ...objects };
}

function made(
  kind: PrivacyRequest['kind'],
  subject: PrivacyRequest['subject'],
  account: string,
  person?: Identity,
): PrivacyRequest {
  return { kind, subject, account, dueDays: DUE_DAYS, ...(person && { person }) };
}

/** Customers, without names or addresses, which nothing here needs. */
import { column } from '../../kit/columns.ts';
import { refTold } from '../api/coerce.ts';
import { currencyIfAny, instant, moneyIfAny } from '../api/columns.ts';
import { stripeStream } from '../stream.ts';

const TYPES = ['created', 'updated', 'deleted'];

export const customersStream = stripeStream({
  name: 'customers',
  object: 'customer',
  personal: { of: [{ column: 'id', as: 'customer' }] },
  scopes: ['rak_customer_read', 'rak_event_read'],
  digested: true,
  canVanish: true,
  leftOut: new Set([
    'address', 'business_name', 'cash_balance', 'description', 'email', 'individual_name', 'name', 'phone',
    'shipping', 'sources', 'subscriptions', 'tax_ids',
  ]), // biome-ignore format: a list of names
  events: [...TYPES.map((type) => `customer.${type}`), ...TYPES.map((type) => `customer.discount.${type}`)],
  reportedBy: (other) => ({ id: refTold(other, 'customer') }),
  columns: {
    currency: currencyIfAny('currency'),
    balance: moneyIfAny('balance'),
    delinquent: column('boolean', ({ delinquent }) => (typeof delinquent === 'boolean' ? delinquent : null)),
    created_at: instant('created'),
  },
});

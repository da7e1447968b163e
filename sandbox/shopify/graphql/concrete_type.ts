import { type GraphQLNamedType, type GraphQLObjectType, isObjectType } from 'graphql';
import type { Draft, Place } from '../../ndjson.ts';
import { splitGid } from '../shop.ts';
import { adminSchema, objectType } from './schema.ts';

const SALES: Readonly<Record<string, string>> = {
  PRODUCT: 'ProductSale',
  GIFT_CARD: 'GiftCardSale',
  SHIPPING: 'ShippingLineSale',
  TIP: 'TipSale',
  DUTY: 'DutySale',
  FEE: 'FeeSale',
  ADDITIONAL_FEE: 'AdditionalFeeSale',
  ADJUSTMENT: 'AdjustmentSale',
  UNKNOWN: 'UnknownSale',
};
const AGREEMENTS: Readonly<Record<string, string>> = {
  ORDER: 'OrderAgreement',
  ORDER_EDIT: 'OrderEditAgreement',
  REFUND: 'RefundAgreement',
  RETURN: 'ReturnAgreement',
};

/** The type behind an interface or a union, from `__typename` or from what gives it away. */
export function concreteType(type: GraphQLNamedType, given: Draft, place: Place): GraphQLObjectType {
  if (isObjectType(type)) return type;
  const named = typeof given.__typename === 'string' ? given.__typename : guess(type.name, given);
  const concrete = named === undefined ? undefined : objectType(named);
  if (concrete) return concrete;
  return place.fail(`write "__typename" to say which ${type.name} this is${known(type)}`);
}

/** A sale of goods or a tip always names its line in the API; one that names none is of no known kind. */
function saleType(lineType: string, { lineItem }: Draft): string | undefined {
  const needsLine = ['PRODUCT', 'GIFT_CARD', 'TIP'].includes(lineType);
  return needsLine && !lineItem ? 'UnknownSale' : SALES[lineType];
}

function guess(abstract: string, given: Draft): string | undefined {
  switch (abstract) {
    case 'Sale':
      return saleType(String(given.lineType ?? 'PRODUCT'), given);
    case 'SalesAgreement':
      return AGREEMENTS[String(given.reason)] ?? ('refund' in given ? 'RefundAgreement' : 'OrderAgreement');
    case 'Event':
      return 'BasicEvent';
    case 'DiscountApplication':
      return 'code' in given ? 'DiscountCodeApplication' : 'ManualDiscountApplication';
    case 'PricingValue':
      return 'percentage' in given ? 'PricingPercentageValue' : 'MoneyV2';
    default:
      return typeof given.id === 'string' ? splitGid(given.id)?.type : undefined;
  }
}

function known(type: GraphQLNamedType): string {
  if (isObjectType(type) || !('getFields' in type || 'getTypes' in type)) return '';
  const names = adminSchema()
    .getPossibleTypes(type as never)
    .map(({ name }) => name);
  return names.length > 0 && names.length <= 12 ? ` (${names.join(', ')})` : '';
}

import type { Plain } from '../plain.ts';
import { gid, type ShopSettings } from './shop.ts';

/** The `Shop` object of the API, from the shop's settings. */
export function shopObject({ name, currency, zone, taxesIncluded }: ShopSettings, createdAt: string): Plain {
  const domain = `${name}.myshopify.com`;
  return {
    id: gid('Shop', numberOf(name)),
    name,
    myshopifyDomain: domain,
    url: `https://${domain}`,
    primaryDomain: {
      id: gid('Domain', numberOf(name)),
      host: domain,
      url: `https://${domain}`,
      sslEnabled: true,
    },
    currencyCode: currency,
    enabledPresentmentCurrencies: [currency],
    ianaTimezone: zone,
    taxesIncluded,
    plan: { publicDisplayName: 'Plus', displayName: 'Plus', shopifyPlus: true, partnerDevelopment: false },
    createdAt,
    updatedAt: createdAt,
    email: `owner@${domain}`,
    contactEmail: `owner@${domain}`,
    weightUnit: 'KILOGRAMS',
    unitSystem: 'METRIC_SYSTEM',
  };
}

function numberOf(name: string): number {
  let number = 7;
  for (let at = 0; at < name.length; at++) number = (number * 31 + name.charCodeAt(at)) % 1_000_000_007;
  return number;
}

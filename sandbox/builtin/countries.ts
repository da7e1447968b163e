/** ISO codes of the countries as the data name them; ZZ where they name none. */
export const COUNTRY_CODES: Readonly<Record<string, string>> = {
  Australia: 'AU',
  Austria: 'AT',
  Bahrain: 'BH',
  Belgium: 'BE',
  Brazil: 'BR',
  Canada: 'CA',
  'Channel Islands': 'GG',
  Cyprus: 'CY',
  'Czech Republic': 'CZ',
  Denmark: 'DK',
  EIRE: 'IE',
  'European Community': 'ZZ',
  Finland: 'FI',
  France: 'FR',
  Germany: 'DE',
  Greece: 'GR',
  'Hong Kong': 'HK',
  Iceland: 'IS',
  Israel: 'IL',
  Italy: 'IT',
  Japan: 'JP',
  Lebanon: 'LB',
  Lithuania: 'LT',
  Malta: 'MT',
  Netherlands: 'NL',
  Norway: 'NO',
  Poland: 'PL',
  Portugal: 'PT',
  RSA: 'ZA',
  'Saudi Arabia': 'SA',
  Singapore: 'SG',
  Spain: 'ES',
  Sweden: 'SE',
  Switzerland: 'CH',
  'United Arab Emirates': 'AE',
  'United Kingdom': 'GB',
  Unspecified: 'ZZ',
  USA: 'US',
};

export const RETAILERS = ['uk', 'germany', 'france', 'eire', 'rest'] as const;
export type Retailer = (typeof RETAILERS)[number];

export function retailerOf(country: string): Retailer {
  switch (country) {
    case 'United Kingdom':
      return 'uk';
    case 'Germany':
      return 'germany';
    case 'France':
      return 'france';
    case 'EIRE':
      return 'eire';
    default:
      return 'rest';
  }
}

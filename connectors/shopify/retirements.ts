/** What Shopify takes away. */
import type { Retirement } from '../kit/provider.ts';

export const retirements: readonly Retirement[] = [
  {
    on: '2027-10-01',
    what: 'API version 2026-10',
    instead: 'a release of Nightshift that pins a newer version',
    source: 'https://shopify.dev/docs/api/usage/versioning',
  },
];

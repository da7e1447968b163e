/** Shopify: shops, read through the Admin GraphQL API. https://shopify.dev/docs/api/admin-graphql */
import { defineProvider } from '../kit/provider.ts';
import { checkShopify } from './api/check.ts';
import { keyForm } from './api/key.ts';
import { retirements } from './retirements.ts';
import { customersStream } from './streams/customers.ts';
import { ordersStream } from './streams/orders.ts';
import { productsStream } from './streams/products.ts';
import { shopStream } from './streams/shop.ts';
import { deletionsStream } from './sync/deletions.ts';
import { webhook } from './webhook.ts';
import { webhooks } from './webhooks.ts';

const HOST = /^[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com$/;

export const shopify = defineProvider({
  name: 'shopify',
  title: 'Shopify',
  level: 'retailer',
  hosts: HOST,
  baseUrl: (account) => `https://${account}`,
  account: {
    written: 'SHOP.myshopify.com',
    read(typed) {
      const account = typed.includes('.') ? typed : `${typed}.myshopify.com`;
      return HOST.test(account) ? account : undefined;
    },
    found: 'Its public domain is another: Shopify shows this one in the admin under Settings, Domains',
  },
  key: keyForm,
  raisesLimits: false,
  isReconcilable: false, // each sync compares its counts with the shop's own
  streams: [shopStream, productsStream, customersStream, ordersStream, deletionsStream],
  webhook,
  webhooks,
  retirements,
  check: checkShopify,
});

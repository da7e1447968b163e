/** Acorn, a made-up provider whose connections are of a whole brand: what a third one takes beside Shopify and Stripe. */

import { defineProvider } from '#connectors/kit/provider.ts';
import { digestOf, hmac, isSame, type Webhook } from '#connectors/kit/webhook.ts';
import { builtIn, providerSet } from '#connectors/providers.ts';
import { SECRET } from '#runtime/shapes.ts';
import { ask } from './stream.ts';
import { campaignsStream, opensStream, spendStream, viewsStream } from './streams.ts';

/** Its deliveries are rows of one list. */
const webhook: Webhook = {
  bytesMax: 1024 * 1024,
  headers: ['x-acorn-signature'],
  isSigned({ headers, body }, secrets) {
    const given = Buffer.from(headers['x-acorn-signature'] ?? '', 'hex');
    return secrets.some((secret) => isSame(hmac(secret, body), given));
  },
  read: (delivery) => ({ id: digestOf(delivery), topic: 'opens', hints: [], rowsOf: opensStream.name }),
};

const acorn = defineProvider({
  name: 'acorn',
  title: 'Acorn',
  level: 'brand',
  hosts: /^api\.acorn\.example$/,
  baseUrl: () => 'https://api.acorn.example',
  account: {
    written: 'NAME',
    read: (typed) => (/^[a-z]{1,60}$/.test(typed) ? typed : undefined),
    found: 'Acorn shows it at the top of each page',
  },
  key: {
    auth: [{ name: 'key' }],
    shapes: [{ of: 'Acorn', signs: ['acorn_key_'], pattern: /acorn_key_\w{1,64}/g, blank: SECRET }],
    prefixes: ['acorn_'],
    unfit: {},
    fits: /^acorn_key_\w{1,64}$/,
    otherwise: 'it does not begin with acorn_key_',
    hint: 'Make a key under Settings.',
  },
  part: {
    written: 'the id of a campaign',
    read: (typed) => (/^c\d{1,6}$/.test(typed) ? typed : undefined),
    found: 'Acorn shows it in the list of campaigns',
  },
  raisesLimits: false,
  isReconcilable: false,
  retirements: [],
  webhook,
  streams: [campaignsStream, opensStream, spendStream, viewsStream],
  async check(context) {
    await ask(context, 'campaigns?after=0');
    const account = {
      name: 'Acorn',
      domain: 'acorn.example',
      currency: 'EUR',
      timeZone: 'UTC',
      createdAt: new Date(0),
    };
    return { account, apiVersion: '1', scopes: [], missing: [], warnings: [] };
  },
});

/** The one line in the list. */
export const withAcorn = providerSet([...builtIn.providers, acorn]);

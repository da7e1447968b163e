/** Tokens of shops. https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens */
import { SECRET } from '#runtime/shapes.ts';
import type { KeyForm } from '../../kit/key_form.ts';

export const keyForm: KeyForm = {
  auth: [
    { name: 'token' },
    { name: 'client_credentials', parts: ['client_id', 'client_secret'] },
    { name: 'refresh_token', parts: ['client_id', 'client_secret', 'refresh_token'] },
  ],
  shapes: [{ of: 'Shopify', signs: ['shp'], pattern: /shp[a-z]{2,4}_[\w-]{4,}/g, blank: SECRET }],
  prefixes: ['shpat_', 'shpca_', 'shppa_', 'shpua_', 'shpss_'],
  unfit: { shpss_: 'it is the secret of an app (shpss_), not a token' },
  fits: /^\S+$/, // tokens of old private apps have no prefix
  otherwise: 'it has spaces',
  hint: 'Use the Admin API access token of the app (shpat_…), or with --auth client_credentials its client id and secret, as client-id:client-secret; with --auth refresh_token also the token that renews, behind another colon.',
};

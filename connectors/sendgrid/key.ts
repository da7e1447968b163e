/** API keys of SendGrid. https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys */
import { SECRET } from '#runtime/shapes.ts';
import type { KeyForm } from '../kit/key_form.ts';

export const PROVIDER = 'SendGrid';

export const keyForm: KeyForm = {
  auth: [
    { name: 'key', means: 'for its own account' },
    { name: 'subuser', means: 'of the parent account, which acts for the subuser' },
    { name: 'customer', means: 'of the parent account, which acts for the customer account of this id' },
  ],
  shapes: [
    // The part after the second dot is optional, because a cut may have removed it.
    { of: PROVIDER, signs: ['SG.'], pattern: /SG\.[\w-]{6,}(?:\.[\w-]+)?/g, blank: SECRET },
  ],
  prefixes: ['SG.'],
  unfit: {},
  fits: /^SG\.[\w-]+\.[\w-]+$/,
  otherwise: 'it does not begin with SG. and have two parts behind that',
  hint: 'Create a key with Custom Access under Settings, API Keys: the least that is needed stands in docs/operations.md.',
};

/** Where the secret of a connection may be sent. */
import { coded } from '#runtime/errors.ts';

export const providers = ['shopify', 'stripe', 'sendgrid', 'ayrshare'] as const;
export type Provider = (typeof providers)[number];

const ownHosts: Record<Provider, RegExp> = {
  shopify: /^[a-z0-9][a-z0-9-]*\.myshopify\.com$/,
  stripe: /^(api|files)\.stripe\.com$/,
  sendgrid: /^api(\.eu)?\.sendgrid\.com$/,
  ayrshare: /^api\.ayrshare\.com$/,
};

const LENGTH_MAX = 2_000;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export class HostRefused extends coded('NS_HOST_REFUSED') {
  constructor(provider: string, host: string) {
    super(`${host} is no address of ${provider}: its key is not sent there.`, {
      hint: 'Use https and a host of the provider. For another one, list it in NIGHTSHIFT_ALLOWED_HOSTS.',
      context: { provider, host },
    });
  }
}

/** The address in its plain form, or NS_HOST_REFUSED. Anything but https only on loopback or a listed host. */
export function checkedBaseUrl(provider: Provider, address: string, allowedHosts: readonly string[]): string {
  if (address.length > LENGTH_MAX || !URL.canParse(address))
    throw new HostRefused(provider, 'What was given');
  const url = new URL(address);
  const { protocol, hostname, host, port, username, password, search, hash } = url;
  const plain = `${username}${password}${search}${hash}` === '' && /^https?:$/.test(protocol);
  const own = protocol === 'https:' && port === '' && ownHosts[provider].test(hostname);
  const allowed =
    own || LOOPBACK.test(hostname) || allowedHosts.includes(hostname) || allowedHosts.includes(host);
  if (!plain || !allowed) throw new HostRefused(provider, `${protocol}//${host}`);
  return `${url.origin}${url.pathname.replace(/(?<!\/)\/+$/, '')}`;
}

/** Where a provider lives when nobody says otherwise. */
export function defaultBaseUrl(provider: Provider, account: string): string {
  if (provider === 'shopify') return `https://${account}`;
  return {
    stripe: 'https://api.stripe.com',
    sendgrid: 'https://api.sendgrid.com',
    ayrshare: 'https://api.ayrshare.com',
  }[provider];
}

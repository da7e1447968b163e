/** Hosts to which the secret of a connection may be sent. */

import { LOOPBACK } from '#runtime/addresses.ts';
import { coded } from '#runtime/errors.ts';

/** What `sql` must know of a provider; its definition says it. */
export type ProviderAddress = {
  name: string;
  /** Whether its connections belong to one retailer or to the whole brand. */
  level: 'retailer' | 'brand';
  /** Its own hosts. */
  hosts: RegExp;
  /** The default address. */
  baseUrl(account: string): string;
};

const LENGTH_MAX = 2_000;

export class HostRefused extends coded('NS_HOST_REFUSED') {
  constructor(provider: string, host: string) {
    super(`${host} is not an address of ${provider}: its key is not sent there.`, {
      hint: 'Use https and a host of the provider. For another one, list it in NIGHTSHIFT_ALLOWED_HOSTS.',
      context: { provider, host },
    });
  }
}

/** The address in canonical form, or NS_HOST_REFUSED. Plain http is allowed only on loopback or a listed host. */
export function checkedBaseUrl(
  { name, hosts }: Pick<ProviderAddress, 'name' | 'hosts'>,
  address: string,
  allowedHosts: readonly string[],
): string {
  if (address.length > LENGTH_MAX || !URL.canParse(address)) throw new HostRefused(name, 'The given text');
  const url = new URL(address);
  const { protocol, hostname, host, port, username, password, search, hash } = url;
  const plain = `${username}${password}${search}${hash}` === '' && /^https?:$/.test(protocol);
  const own = protocol === 'https:' && port === '' && hosts.test(hostname);
  const allowed =
    own || LOOPBACK.test(hostname) || allowedHosts.includes(hostname) || allowedHosts.includes(host);
  if (!plain || !allowed) throw new HostRefused(name, `${protocol}//${host}`);
  return `${url.origin}${url.pathname.replace(/(?<!\/)\/+$/, '')}`;
}

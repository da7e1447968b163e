/** Which addresses something may be sent to. Apart from what sends, because each command reads it. */

const CHARS_MAX = 2_000;
/** Hosts of this machine. */
export const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Whether something may be sent to an address: by https, whose certificate keeps out whatever answers inside a network,
 * or to this machine. Who knows the address of a ping can keep an alarm silent, so it stays out of messages: its host is
 * said.
 */
export function isSafeAddress(text: string): boolean {
  if (text.length > CHARS_MAX || !URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname));
}

/** Whether a path can be put behind an address. */
export function isSafeBase(text: string): boolean {
  return isSafeAddress(text) && !/[?#]/.test(text);
}

/** A pattern for them would look at each slash again from every one before it. */
export function withoutEndingSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end -= 1;
  return text.slice(0, end);
}

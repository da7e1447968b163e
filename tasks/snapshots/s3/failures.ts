/** What a server or the SDK says, in words for whoever has to act. The error itself has keys in its fields: it goes no further. */
import { messageOf } from '#runtime/errors.ts';
import { quote } from '#runtime/scrub.ts';
import { StoreFailed, StoreRefused } from '../store.ts';

/** A success that names no tag of what was put: consoles and proxies answer anything so, and store nothing. */
export class NoTag extends Error {
  constructor() {
    super('its answer has no tag');
  }
}

type Where = { place: string; bucket: string; doing: string };

const KEYS = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile or role that gives the keys';
const READ_MORE = 'docs/operations.md, Object storage';

type Kind = { names: readonly string[]; why(where: Where): string; hint: string };

const kinds: readonly Kind[] = [
  {
    names: ['NoSuchBucket'],
    why: ({ bucket }) => `there is no bucket ${bucket}`,
    hint: 'Make the bucket, or correct NIGHTSHIFT_SNAPSHOT_STORE.',
  },
  {
    names: [
      ...[
        'InvalidAccessKeyId',
        'SignatureDoesNotMatch',
        'ExpiredToken',
        'InvalidToken',
        'TokenRefreshRequired',
      ],
      'Unauthorized',
    ],
    why: () => 'it does not accept the key of this process',
    hint: `Correct ${KEYS}: ${READ_MORE}.`,
  },
  {
    names: ['CredentialsProviderError', 'TokenProviderError'],
    why: () => 'this process has no key for it',
    hint: `Set ${KEYS}: ${READ_MORE}.`,
  },
  {
    names: ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'],
    why: () => 'the bucket is in another region',
    hint: 'Set NIGHTSHIFT_SNAPSHOT_REGION to the region of the bucket.',
  },
  {
    names: ['RequestTimeTooSkewed', 'RequestExpired', 'RequestInTheFuture'],
    why: () => 'the clock of this host differs from its own',
    hint: 'Correct the clock of this host.',
  },
];

/** Names of what a known key may not do, among various makers. */
const REFUSED = ['AccessDenied', 'UnauthorizedAccess', 'Forbidden'];
const NETWORK = [
  ...[
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'EPIPE',
    'ETIMEDOUT',
  ],
  ...['TimeoutError', 'ERR_SSL_WRONG_VERSION_NUMBER', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
];

export function failureOf(error: unknown, where: Where): StoreFailed {
  if (error instanceof StoreFailed) return error;
  const names = namesOf(error);
  const said = quote(messageOf(error));
  const { place, doing } = where;
  const kind = kinds.find((one) => one.names.some((name) => names.includes(name)));
  if (kind !== undefined) return new StoreFailed(place, `${kind.why(where)} (${doing}: ${said})`, kind.hint);
  if (names.some((name) => REFUSED.includes(name)))
    return new StoreRefused(
      place,
      `the key of this process may not do ${doing} (${said})`,
      `Allow it in the policy of the bucket or of the key: ${READ_MORE}.`,
    );
  if (error instanceof NoTag || names.includes('Unknown') || said.includes('Deserialization error'))
    return new StoreFailed(
      place,
      `what answers there does not speak S3 (${doing})`,
      'Correct NIGHTSHIFT_SNAPSHOT_ENDPOINT: it may be the address of a console or of a proxy.',
    );
  if (said.includes('Region is missing'))
    return new StoreFailed(place, 'its region is not known', 'Set NIGHTSHIFT_SNAPSHOT_REGION.');
  if (names.some((name) => NETWORK.includes(name)))
    return new StoreFailed(
      place,
      `${doing} got no answer (${said})`,
      'It is tried again. Check that this host reaches the server, and NIGHTSHIFT_SNAPSHOT_ENDPOINT.',
    );
  return new StoreFailed(
    place,
    `${doing} failed (${[names[0], said].join(': ')})`,
    `It is tried again. If it stays so, see what the server says: ${READ_MORE}.`,
  );
}

/** Of the error and of what it has come from: the name that S3 gave it, or the code of the network. */
function namesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const { code, Code } = error as { code?: unknown; Code?: unknown };
  const inner = error instanceof AggregateError ? error.errors.flatMap(namesOf) : namesOf(error.cause);
  return [error.name, code, Code, ...inner].filter((name): name is string => typeof name === 'string');
}

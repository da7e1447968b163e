/**
 * The process of the embedded server. `postmaster.pid`, which PostgreSQL itself maintains, says whether one runs: of
 * two that start on the same data only one succeeds. The server outlives this process, because other commands may use
 * it.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { asAccount, type Cluster, EmbeddedServerFailed, SUPERUSER } from './cluster.ts';

export type RunningServer = { pid: number; port: number };
export type Launch = {
  logFile: string;
  logStart: number;
  /** Its exit code if it has ended; 0 means that it ran and was stopped. */
  ended?: number | NodeJS.Signals | Error;
};

const STOP_WAIT_MS = 60_000;
const POLL_MS = 25;
const LOG_BYTES_MAX = 10_000_000;
const LOG_TAIL_BYTES = 2_000;

// Two cores, a few GB and one busy user: a demo, a laptop, a test. Commits stay durable.
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '32MB',
  maintenance_work_mem: '128MB',
  max_wal_size: '2GB',
  wal_level: 'minimal', // nothing replicates from it, and loads into new tables skip the log
  max_wal_senders: '0',
  random_page_cost: '1.1',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'log', // errors of statements contain values of rows; the sender of the statement reports them, scrubbed
  dynamic_shared_memory_type: 'mmap', // a container's /dev/shm is too small for parallel queries
};

export function databaseUrl({ password }: Cluster, port: number, database: string): string {
  return `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
}

/** The server on these data, if one runs. It may still be starting, or already stopping. */
export async function runningServer(cluster: Cluster): Promise<RunningServer | undefined> {
  const file = join(cluster.data, 'postmaster.pid');
  const { pid, port } = await readPidFile(file);
  if (!pid || !port) return undefined;
  const owner = await ownerOfPid(pid, cluster.data);
  if (owner === 'us') return { pid, port };
  // After a crash another program may have the process id, and PostgreSQL would take it for a server. If no process
  // has it, PostgreSQL removes the file itself.
  if (owner === 'another' && (await readPidFile(file)).pid === pid) await rm(file, { force: true });
  return undefined;
}

/** Launches a server. It may fail if its port or its data were just taken. */
export async function launchServer(cluster: Cluster, extra: Record<string, string>): Promise<Launch> {
  const flags = Object.entries({ ...settings, port: String(await freePort()), ...extra });
  const logFile = join(cluster.home, 'postgres.log');
  const log = await openLog(logFile);
  const { size: start } = await log.stat();
  const server = spawn(
    cluster.binaries.postgres,
    ['-D', cluster.data, ...flags.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...asAccount(cluster.account, cluster.home), detached: true, stdio: ['ignore', log.fd, log.fd] },
  );
  const launch: Launch = { logFile, logStart: start };
  server.once('exit', (code, signal) => {
    launch.ended = code ?? signal ?? 1;
  });
  server.once('error', (error) => {
    launch.ended = error;
  });
  server.unref();
  await log.close();
  return launch;
}

/** The output of a launched server before it ended. */
export async function lastWords({ logFile, logStart, ended }: Launch): Promise<string> {
  if (ended instanceof Error) return ended.message;
  const log = await readFile(logFile);
  return log.subarray(logStart).subarray(-LOG_TAIL_BYTES).toString().trim();
}

/** Fast shutdown: ends sessions; everything committed is on disk. */
export async function stopServer(cluster: Cluster): Promise<void> {
  const server = await runningServer(cluster);
  if (server === undefined) return;
  if (!tell(server.pid, 'SIGINT')) return;
  for (let waited = 0; waited < STOP_WAIT_MS; waited += POLL_MS) {
    if ((await runningServer(cluster))?.pid !== server.pid) return;
    await sleep(POLL_MS);
  }
  const advice = `Process ${server.pid} is still running.`;
  throw new EmbeddedServerFailed('PostgreSQL did not stop in time.', { advice });
}

/** Whether the process still existed; it may have ended since the check. */
function tell(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

async function readPidFile(file: string): Promise<{ pid?: number; port?: number }> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const [pid, , , port] = text.split('\n').map(Number); // lines: pid, data directory, start time, port
  return { pid, port };
}

/** What has this process id: the server on these data, another program, or nothing. */
async function ownerOfPid(pid: number, data: string): Promise<'us' | 'another' | 'nobody'> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'nobody';
  }
  const description =
    process.platform === 'linux'
      ? readFile(`/proc/${pid}/stat`, 'utf8').then((text) => text.replace(/^\d+ \((.*)\) (\S).*$/s, '$2 $1'))
      : promisify(execFile)('ps', ['-o', 'state=,comm=', '-p', String(pid)]).then(({ stdout }) => stdout);
  const [state = 'Z', name = ''] = (await description.catch(() => '')).trim().split(/\s+/, 2);
  if (state.startsWith('Z')) return 'another'; // a zombie
  return basename(name) === 'postgres' && (await worksIn(pid, data)) ? 'us' : 'another';
}

// The working directory of a server is its data directory, even if that was moved. If it cannot be read the answer is
// yes, because the data must never get a second server.
async function worksIn(pid: number, data: string): Promise<boolean> {
  try {
    const [one, other] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(data)]);
    return one.ino === other.ino && one.dev === other.dev;
  } catch {
    return true;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new EmbeddedServerFailed('No port is free.');
  return address.port;
}

// We may be root and the directory belongs to the server's account, so links in it are not followed.
async function openLog(file: string): Promise<FileHandle> {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  const log = await open(file, O_WRONLY | O_CREAT | O_APPEND | (O_NOFOLLOW ?? 0), 0o600);
  if ((await log.stat()).size > LOG_BYTES_MAX) await log.truncate();
  return log;
}

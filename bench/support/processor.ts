/** Processor time of processes on this machine, which other work on it changes less than it does a clock. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { BenchDb } from './server.ts';

const TICKS_PER_SECOND = 100; // what Linux tells everybody

/** Processor time of a process so far; 0 where the system does not tell, or has no such process. */
export async function cpuSecondsOf(pid: number | undefined): Promise<number> {
  const path = `/proc/${pid}/stat`;
  if (process.platform !== 'linux' || !existsSync(path)) return 0;
  const stat = await readFile(path, 'utf8').catch(() => undefined);
  if (stat === undefined) return 0; // it ended meanwhile
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND; // utime and stime
}

/** Memory that a process holds; 0 where the system does not tell, or has no such process. */
export async function rssBytesOf(pid: number | undefined): Promise<number> {
  if (process.platform !== 'linux') return 0;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

export type SessionsClock = {
  /** Looks at the sessions there are now; one that ends between two looks is counted as of the last one. */
  look(): Promise<void>;
  /** Since the clock was made, of all sessions seen. */
  seconds(): number;
};

/** Processor time of the sessions of a database but our own; 0 where the server is on another machine. */
export async function sessionsClock(db: BenchDb): Promise<SessionsClock> {
  const isHere = ['127.0.0.1', 'localhost'].includes(new URL(db.url).hostname);
  const begin = new Map<number, number>();
  const seen = new Map<number, number>();
  const look = async (into: Map<number, number>) => {
    if (!isHere) return;
    const { rows } = await db.query<{ pid: number }>(
      `select pid from pg_stat_activity
       where datname = current_database() and application_name <> current_setting('application_name')`,
    );
    for (const { pid } of rows) {
      const seconds = await cpuSecondsOf(pid);
      if (seconds > 0) into.set(pid, seconds);
    }
  };
  await look(begin);
  return {
    look: () => look(seen),
    seconds: () => [...seen].reduce((sum, [pid, seconds]) => sum + seconds - (begin.get(pid) ?? 0), 0),
  };
}

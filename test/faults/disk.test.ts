/** The disk of PostgreSQL is full to the last byte, rows and log alike, and then it is not. */
import { execFile } from 'node:child_process';
import { rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { ownPostgres } from '../support/db/own_postgres.ts';
import { moveToSmallDisk, smallDisk } from '../support/db/small_disk.ts';
import { check } from '../support/faults/checker.ts';
import { addAll, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet } from '../support/faults/fleet.ts';
import { openHistory } from '../support/faults/history.ts';
import { makePayments, payment } from '../support/faults/tasks.ts';

const DISK_MEGABYTES = 400;
const LEFT_MEGABYTES = 12;
const JOBS = 200;
const KILOBYTES = 250;
const FULL_MS = 12_000;
const DRAIN_MS = 120_000;
const settings = { max_wal_size: '64MB', min_wal_size: '32MB', shared_buffers: '32MB' };

fault(
  'full disk',
  async ({ report, notRun }) => {
    {
      await using probe = await smallDisk(1, tmpdir());
      if (!probe) return notRun('needs root, to mount a small file system');
    }
    let filler = '';
    const prepare = (home: string) => {
      filler = join(home, 'filler');
      return moveToSmallDisk(DISK_MEGABYTES, home);
    };
    await using postgres = await ownPostgres({ settings, prepare });
    const { db } = postgres;
    await using history = await openHistory();
    await makePayments(db);
    await using fleet = aFleet({ url: db.url, history });
    await fleet.keep(1);
    const { bavail, bsize } = await statfs(join(filler, '..'));
    const bytes = bavail * bsize - LEFT_MEGABYTES * 2 ** 20;
    await promisify(execFile)('fallocate', ['-l', String(bytes), filler]);
    history.add({ what: 'fault', kind: 'full disk' });
    const payloads = Array.from({ length: JOBS }, (_, n) => ({
      ...{ label: `job ${n}`, ms: 10, kilobytes: KILOBYTES },
    }));
    await addAll(db, history, payment, payloads);
    await sleep(FULL_MS);
    const refused = await db
      .column("select count(*)::int from ops.job_runs where error_code = '53100'")
      .catch(() => ['PostgreSQL was down']);
    await rm(filler);
    await postgres.start(); // it may have ended for want of a place for its log
    history.add({ what: 'healed', kind: 'full disk' });
    await fleet.keep(1);
    expect(await untilDrained(db, DRAIN_MS)).toBe(0);
    const found = await check(db, history);
    report(found, { injected: 1, note: `full for ${FULL_MS / 1_000} s; runs that met it: ${refused[0]}` });
    expectNothingLost(found);
    expect(await db.column('select max(attempt) from ops.job_runs')).toEqual([1]); // it cost no attempt
    expect(await db.column('select count(*)::int from public.ballast')).toEqual([JOBS]);
  },
  { short: false },
);

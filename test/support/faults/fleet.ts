/** Workers in processes of their own, whatever happens to them, and the history of what they say. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Program, runProgram } from '../program.ts';
import type { History } from './history.ts';

/** Ours, or graphile-worker as it comes. */
export type Product = 'nightshift' | 'graphile-worker';

export type Member = {
  name: string;
  program: Program;
  /** How many jobs it has begun so far. */
  begun: number;
  ended: Promise<number | NodeJS.Signals>;
};

export type Fleet = AsyncDisposable & {
  /** Those that are ready, and have not been told to end. */
  members: Member[];
  /** Resolves when it is ready. */
  start(): Promise<Member>;
  /** Starts more until there are so many, as a service manager does it. */
  keep(count: number): Promise<void>;
  /** The next one that has begun a job, whoever of them it is. */
  busy(random: () => number): Promise<Member>;
  kill(member: Member): Promise<void>;
  /** As a platform does it: a signal, and after a grace the other one. Gives how it ended. */
  stop(member: Member, graceMs: number): Promise<number | NodeJS.Signals>;
};

export type FleetOptions = {
  product?: Product;
  url: string;
  history: History;
  concurrency?: number;
  drainSeconds?: number;
  stallSeconds?: number;
  /** Schedulers instead of workers: from when on their time runs how many times as fast. */
  scheduler?: { from?: Date; factor?: number };
  /** What starts the program instead of us, such as `ip netns exec`. */
  launcher?: readonly string[];
  nodeFlags?: readonly string[];
};

const BUSY_MS_MAX = 60_000;
const POLL_MS = 10;
const BEGUN = 'begun ';
let started = 0;

export function aFleet({ history, ...options }: FleetOptions): Fleet {
  const members: Member[] = [];
  const all: Member[] = [];
  const leave = (member: Member) => {
    const place = members.indexOf(member);
    if (place >= 0) members.splice(place, 1);
  };
  const launch = () => {
    const program = runWorker(options);
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => {}); // `start` gets it
    const member: Member = { name: `worker ${++started}`, program, begun: 0, ended: program.ended() };
    const heard = listen(program, (line) => {
      if (line === 'ready') ready.resolve();
      if (line.startsWith(BEGUN)) member.begun += 1;
      hear(history, member.name, line);
    });
    member.ended = heard.then(async () => {
      const how = await program.ended();
      if (members.includes(member)) history.add({ what: 'fault', kind: 'ended', worker: member.name });
      leave(member);
      history.add({ what: 'ended', worker: member.name, how });
      ready.reject(new Error(`${member.name} ended (${how}): ${await program.complaints}`));
      return how;
    });
    return { member, ready: ready.promise };
  };
  const start = async () => {
    const { ready, member } = launch();
    all.push(member);
    await ready;
    members.push(member);
    return member;
  };
  return {
    members,
    start,
    keep: async (count) => {
      await Promise.all(Array.from({ length: count - members.length }, start));
    },
    busy: async (random) => {
      for (let waited = 0; waited < BUSY_MS_MAX; waited += POLL_MS) {
        const busy = members.filter(({ begun }) => begun > 0);
        const found = busy[Math.floor(random() * busy.length)];
        if (found) return found;
        await sleep(POLL_MS);
      }
      throw new Error('No worker has begun a job.');
    },
    kill: async (member) => {
      leave(member);
      history.add({ what: 'fault', kind: 'SIGKILL', worker: member.name });
      member.program.child.kill('SIGKILL');
      await member.ended;
    },
    stop: async (member, graceMs) => {
      leave(member);
      history.add({ what: 'fault', kind: 'SIGTERM', worker: member.name });
      member.program.child.kill('SIGTERM');
      const grace = new AbortController();
      const overdue = sleep(graceMs, undefined, { signal: grace.signal }).then(
        () => member.program.child.kill('SIGKILL'),
        () => {},
      );
      const how = await member.ended;
      grace.abort();
      await overdue;
      return how;
    },
    async [Symbol.asyncDispose]() {
      for (const { program } of all) program.child.kill('SIGKILL');
      await Promise.all(all.map(({ ended }) => ended));
    },
  };
}

function runWorker(options: Omit<FleetOptions, 'history'>): Program {
  const { product = 'nightshift', url, concurrency = 4, drainSeconds = 10, stallSeconds = 0 } = options;
  const { launcher, nodeFlags, scheduler } = options;
  if (scheduler) {
    const { from, factor = 1 } = scheduler;
    const clock = from ? [from.toISOString(), String(factor)] : [];
    return runProgram('clocked_scheduler.ts', [url, ...clock], { launcher });
  }
  if (product === 'graphile-worker')
    return runProgram('plain_worker.ts', [url, 'drain', String(concurrency)], { launcher, nodeFlags });
  const settings = [drainSeconds, stallSeconds, concurrency].map(String);
  return runProgram('queue_worker.ts', [url, ...settings, 'warn'], { launcher, nodeFlags });
}

/** Gives each line that it says, and, once it has ended, each of its log. */
async function listen(program: Program, each: (line: string) => void): Promise<void> {
  for (let line = await program.line(); line !== ''; line = await program.line()) each(line);
  for (const line of (await program.complaints).split('\n')) each(line);
}

function hear(history: History, worker: string, line: string): void {
  if (line.startsWith(BEGUN)) history.add({ what: 'begun', worker, label: line.slice(BEGUN.length) });
  if (line.includes('"outcome":"lost"')) history.add({ what: 'refused', worker });
}

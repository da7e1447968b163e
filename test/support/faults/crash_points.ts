/**
 * Crash points without a line in the product: whatever a worker says to PostgreSQL or to a provider goes through a proxy,
 * and each statement or request is a point. A worker is killed before a point (nobody heard it) or after it (it was done,
 * and its answer is lost).
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Mode = 'before' | 'after';
export type Crash = { point: string; mode: Mode; kill(): void };

export type Points = {
  /** Names points from now on; kills at the first one of a name, if one is given. */
  arm(crash?: Crash): void;
  /** The names that were passed since then, each once, in order. */
  passed: Set<string>;
};

type Pass = 'go on' | 'stop' | 'answer is lost';

/** Several proxies may share them. */
export function makePoints(): Points & { at(name: string): Pass; lose(): void } {
  let crash: Crash | undefined;
  let isOver = true;
  const points = {
    passed: new Set<string>(),
    arm: (wanted?: Crash) => {
      [points.passed, crash, isOver] = [new Set(), wanted, false];
    },
    at: (name: string): Pass => {
      if (!isOver) points.passed.add(name);
      if (isOver || name !== crash?.point) return 'go on';
      if (crash.mode === 'after') return 'answer is lost';
      points.lose();
      return 'stop';
    },
    lose: () => {
      if (!isOver) crash?.kill();
      isOver = true;
    },
  };
  return points;
}

/** `names` gives the points in what a client says; one reader serves one connection. */
type Reader = () => (said: Buffer) => string[];

export async function pointProxy(target: string, points: ReturnType<typeof makePoints>, names: Reader) {
  const url = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(url.port), url.hostname);
    const read = names();
    let isDeaf = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        sockets.delete(socket);
        (socket === client ? upstream : client).destroy();
      });
    }
    client.on('data', (said: Buffer) => {
      const passes = read(said).map(points.at);
      if (passes.includes('stop')) return void upstream.destroy();
      isDeaf ||= passes.includes('answer is lost');
      upstream.write(said);
    });
    upstream.on('data', (answer: Buffer) => {
      if (isDeaf) points.lose();
      else client.write(answer);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: Object.assign(new URL(target), { hostname: '127.0.0.1', port: String(port) }).href,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const NAME_CHARS_MAX = 90;

// What a worker asks whether it has a job or not.
const HOUSEKEEPING =
  /ops\.(sweep|lost_claims|hand_back|workers|close_worker|current_pauses|pauses)|advisory|listen|pg_type|migrations|^select$|set_config|_private_tasks/i;

/** What the frontend messages of PostgreSQL carry. */
export const statements: Reader = () => {
  let rest: Buffer = Buffer.alloc(0);
  let isStarted = false;
  const texts = new Map<string, string>();
  return (said) => {
    rest = Buffer.concat([rest, said]);
    const found: string[] = [];
    for (;;) {
      const head = isStarted ? 1 : 0;
      if (rest.length < head + 4) return found;
      const end = head + rest.readUInt32BE(head);
      if (rest.length < end) return found;
      const type = isStarted ? String.fromCharCode(rest[0] ?? 0) : '';
      const body = rest.subarray(head + 4, end);
      rest = rest.subarray(end);
      isStarted = true;
      const text = statementOf(type, body, texts);
      if (text !== undefined && !HOUSEKEEPING.test(text))
        found.push(text.trim().replace(/\s+/g, ' ').slice(0, NAME_CHARS_MAX));
    }
  };
};

function statementOf(type: string, body: Buffer, texts: Map<string, string>): string | undefined {
  const [first = '', second = ''] = body.toString().split('\0', 2);
  if (type === 'Q') return first;
  if (type === 'c') return 'end of copy';
  if (type === 'P') texts.set(first, second);
  return type === 'B' ? (texts.get(second) ?? second) : undefined;
}

export const requests: Reader = () => (said) => {
  const [, path] = /^GET (\S+?)[?\s]/.exec(said.subarray(0, 300).toString('latin1')) ?? [];
  return path === undefined ? [] : [`fetch ${path.replace(/\/ch_\d+$/, '/…')}`];
};

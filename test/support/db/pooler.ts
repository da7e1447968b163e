/**
 * A connection pooler as far as our sessions can tell: like PgBouncer it invents the process id that a client hears of,
 * and refuses what the client asks for as it begins (`refuses`), drops it (`drops`), or passes it on (`passes`).
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import pg from 'pg';

export type PoolerMode = 'refuses' | 'drops' | 'passes';

const AUTHENTICATED = Buffer.from('R\0\0\0\x08\0\0\0\0', 'latin1');
const INVENTED = Buffer.from('K\0\0\0\x0c\x7f\0\0\x01\0\0\0\x01', 'latin1');
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1');

type Upstream = { socket: Socket; end(): Promise<void> };

export async function startPooler(url: string, mode: PoolerMode): Promise<AsyncDisposable & { url: string }> {
  const upstreams: Upstream[] = [];
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on('error', () => client.destroy());
    void serve(client).catch(() => client.destroy());
  }).listen(0, '127.0.0.1');

  async function serve(client: Socket): Promise<void> {
    const messages = framesOf(client, { startup: true });
    const { value: startup } = await messages.next();
    if (startup === undefined) return;
    const options = parameter(startup, 'options');
    if (mode === 'refuses') {
      client.end(refusal('unsupported startup parameter: options'));
      return;
    }
    client.write(Buffer.concat([AUTHENTICATED, INVENTED, READY]));
    const upstream = await connectUpstream(url, mode === 'drops' ? undefined : options);
    upstreams.push(upstream);
    for await (const message of messages) {
      if (message[0] === TERMINATE) break;
      upstream.socket.write(message);
      if (message[0] === QUERY || message[0] === SYNC) await answer(upstream.socket, client);
    }
    client.end();
  }

  await once(server, 'listening');
  const address = new URL(url);
  address.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return {
    url: address.href,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await Promise.all(upstreams.map((one) => one.end()));
      server.close();
    },
  };
}

const [QUERY, SYNC, TERMINATE, READY_FOR_QUERY] = ['Q', 'S', 'X', 'Z'].map((letter) => letter.charCodeAt(0));

/** Signed in by pg, whose hands are then taken off the socket. */
async function connectUpstream(url: string, options: string | undefined): Promise<Upstream> {
  const client = new pg.Client({ connectionString: url, ...(options && { options }) });
  client.on('error', () => {});
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners('data');
  return {
    socket: stream,
    async end() {
      const closed = once(stream, 'close');
      stream.destroy();
      await closed;
    },
  };
}

/** Passes on what the server says until it is ready again. */
async function answer(server: Socket, client: Socket): Promise<void> {
  for await (const message of framesOf(server)) {
    client.write(message);
    if (message[0] === READY_FOR_QUERY) return;
  }
  throw new Error('The server has hung up.');
}

/** Messages of the protocol; the first one of a client has no letter. */
async function* framesOf(socket: Socket, { startup = false } = {}): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let letter = startup ? 0 : 1;
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < letter + 4) break;
      const length = letter + rest.readInt32BE(letter);
      if (rest.length < length) break;
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      letter = 1;
      yield message;
    }
  }
}

function parameter(startup: Buffer, name: string): string | undefined {
  const words = startup.subarray(8).toString('utf8').split('\0');
  return words[words.indexOf(name) + 1];
}

function refusal(message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C08P01\0M${message}\0\0`);
  const head = Buffer.from('E\0\0\0\0', 'latin1');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

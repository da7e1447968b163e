import type { Socket } from 'node:net';
import { to as copyTo } from 'pg-copy-streams';
import type { Tx } from '#sql/db/pool.ts';

/** The rows of a `copy … to stdout` as they come. One that is left before its end takes its session with it: the rest would have to be read. */
export async function* copyRows(tx: Tx, statement: string): AsyncGenerator<Buffer> {
  let isWhole = false;
  try {
    for await (const chunk of tx.query(copyTo(statement))) yield chunk;
    isWhole = true;
  } finally {
    const { connection } = tx as unknown as { connection: { stream: Socket } };
    if (!isWhole) connection.stream.destroy();
  }
}

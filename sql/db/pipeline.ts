import type { ClientBase, QueryResult } from 'pg';

export type BoundStatement = { name: string; text: string; values: unknown[] };

/**
 * Sends two statements at once and waits for both answers. If the first fails, so does this, whatever the second did:
 * within a transaction PostgreSQL refuses that one too. One that the client could not send is unknown to PostgreSQL, so
 * then the second is not sent: it would commit.
 */
export async function inOneTrip(
  client: ClientBase,
  first: BoundStatement | 'begin',
  second: BoundStatement | 'commit',
): Promise<[QueryResult, QueryResult]> {
  // pg's types do not declare the mode. It refuses COPY, so it is on for these two only.
  const session = client as ClientBase & { pipeline: boolean };
  session.pipeline = true;
  try {
    const sent = client.query(first);
    await Promise.race([sent, new Promise(setImmediate)]);
    const answers = await Promise.allSettled([sent, client.query(second)]);
    const [a, b] = answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason;
      return answer.value;
    });
    return [a, b] as [QueryResult, QueryResult];
  } finally {
    session.pipeline = false;
  }
}

/** Asks a database for a statement that takes ten minutes: node long_statement.ts <url>. */
import { openDb } from '#sql/db/pool.ts';

await using db = openDb(process.argv[2] ?? '', { applicationName: 'long statement', statementTimeoutMs: 0 });
console.log('asking');
await db.query('select pg_sleep(600)');

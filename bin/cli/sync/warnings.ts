/** What syncs warn of, behind the list of their streams. */
import type { Cli } from '../shared/noun.ts';
import type { Row } from '../ui/output.ts';

export type Warned = Row & {
  brand: string;
  connection: string;
  stream: string;
  warnings: readonly string[];
};

/** Each warning of a connection once, and the command that asks the provider anew. */
export function sayWarnings(cli: Cli, rows: readonly Warned[]): void {
  const warned = rows.filter(({ warnings }) => warnings.length > 0);
  for (const [name, ours] of Map.groupBy(
    warned,
    ({ brand, connection }) => `${connection} --brand ${brand}`,
  )) {
    for (const warning of new Set(ours.flatMap(({ warnings }) => warnings)))
      cli.out.say(`${ours[0]?.connection} warns: ${warning}`);
    cli.out.say(`Next: npx nightshift connections check ${name}`);
  }
}

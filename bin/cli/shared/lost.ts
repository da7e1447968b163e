/** Says which frozen rows of closed months are lost, so that nothing was booked of these. */
import { type Lost, lostText, mendLost } from '#sql/periods/lost.ts';
import type { Cli } from './noun.ts';

export function sayLost(cli: Cli, lost: readonly Lost[]): void {
  const [first] = lost;
  if (first === undefined) return;
  for (const one of lost) cli.out.say(`Nothing is booked: ${lostText(one)}.`);
  cli.out.say(`Next: ${mendLost(first)}`);
}

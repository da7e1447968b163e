/** What `status` tells: what it finds, and whether that is as it should be. */
import { attentionOf, warningsOf } from './attention.ts';
import { CURRENT, type Findings, type Place, readFindings } from './findings.ts';

export type Health = Findings & {
  /** What is wrong and wants a person, with the command. */
  attention: string[];
  /** What is not wrong yet but will be if nobody does anything, with the command. */
  warnings: string[];
  /** Neither of the two. */
  well: boolean;
};

export async function readHealth(place: Place): Promise<Health> {
  const findings = await readFindings(place);
  const { schema } = findings.database;
  const [attention, warnings] =
    schema === CURRENT
      ? [attentionOf(findings), warningsOf(findings)]
      : [[`${schema} Next: npx nightshift migrate`], []];
  return { ...findings, attention, warnings, well: attention.length + warnings.length === 0 };
}

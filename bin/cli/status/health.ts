/** The result of `status`: its findings, and whether all is well. */
import { attentionOf, warningsOf } from './attention.ts';
import { CURRENT, type Findings, type Place, readFindings } from './findings.ts';

export type Health = Findings & {
  /** What is wrong and needs a person, with the command to type. */
  attention: string[];
  /** What will go wrong if nobody acts, with the command to type. */
  warnings: string[];
  /** Whether both are empty. */
  well: boolean;
};

export async function readHealth(place: Place): Promise<Health> {
  const findings = await readFindings(place);
  const { schema, next = 'npx nightshift doctor' } = findings.database;
  const [attention, warnings] =
    schema === CURRENT ? [attentionOf(findings), warningsOf(findings)] : [[`${schema} Next: ${next}`], []];
  return { ...findings, attention, warnings, well: attention.length + warnings.length === 0 };
}

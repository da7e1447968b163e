/** Which group of failures a person means. */
import { Argument } from 'commander';
import { FailureNotFound } from '#sql/triage/failures.ts';

export function groupArgument(): Argument {
  return new Argument('<id>', 'id of the group, as shown by failures list').argParser((text) => {
    if (!/^[0-9a-f]{12}$/.test(text)) throw new FailureNotFound(text);
    return text;
  });
}

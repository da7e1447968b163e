/** A job by its number. */
import { Argument } from 'commander';
import { JobNotFound } from '../ui/errors.ts';

export function jobArgument(): Argument {
  return new Argument('<job>', 'number of the job, as shown by jobs list').argParser((text) => {
    if (!/^\d{1,18}$/.test(text)) throw new JobNotFound(text);
    return text;
  });
}

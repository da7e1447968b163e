/** The questions of a dashboard, as `docs/questions.md` has them. */
import { readFileSync } from 'node:fs';

const NAMES = ['brand', 'retailer', 'day'] as const;

/** `sql` has $1, $2 … for `names`. */
export type Question = { title: string; sql: string; names: (typeof NAMES)[number][] };

export function readQuestions(): Question[] {
  const text = readFileSync(new URL('../../docs/questions.md', import.meta.url), 'utf8');
  return text
    .split('\n## ')
    .slice(1)
    .map((section) => {
      const [title = '', ...lines] = section.split('\n');
      const body = lines.join('\n');
      const typed = body.slice(body.indexOf('```sql') + '```sql'.length, body.lastIndexOf('```'));
      const names = NAMES.filter((name) => typed.includes(`:${name}`));
      const sql = names.reduce(
        (sofar, name, at) => sofar.replaceAll(new RegExp(`(?<!:):${name}\\b`, 'g'), `$${at + 1}`),
        typed,
      );
      return { title: title.slice(title.indexOf(' ') + 1), sql, names };
    });
}

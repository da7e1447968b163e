/** `brands keep` */
import { type Command, InvalidArgumentError } from 'commander';
import { listRules, type RuleChanges, setRules } from '#sql/retention/rules.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';

export function addKeep(command: Command, cli: Cli): void {
  command
    .command('keep')
    .description('show for how long the brand keeps what, or set it')
    .argument('<brand>', 'the brand')
    .argument(
      '[rule...]',
      'rule=number, such as snapshots_daily=30; snapshots_daily=usual takes it back',
      change,
    )
    .action(async (slug: string, changes: RuleChanges | undefined) => {
      await using session = await openSession(cli);
      const { db } = session;
      const brand = await findBrand(db, slug);
      if (changes?.size) {
        const isNew = await db.transaction((tx) => setRules(tx, brand, changes));
        cli.out.say(
          isNew
            ? `What is older goes when it is next looked for.${seenBy(slug, [...changes.keys()])}`
            : 'These rules hold already.',
        );
      }
      const rules = await listRules(db, brand.id);
      cli.out.list(
        rules.map(({ isOwn, ...row }) => ({ ...row, set_by: isOwn ? 'brand' : 'usual' })),
        ['rule', 'kept', 'unit', 'set_by', 'least', 'most', 'keeps'],
      );
    });
}

/** The commands that show what would go: snapshots one by one, records by their number. */
function seenBy(brand: string, rules: readonly string[]): string {
  const ofSnapshots = (rule: string) => rule.startsWith('snapshots_');
  const commands = [
    ...(rules.some(ofSnapshots) ? [`npx nightshift snapshots expire --brand ${brand} --dry-run`] : []),
    ...(rules.some((rule) => COUNTED.has(rule)) ? ['npx nightshift jobs prune --dry-run'] : []),
  ];
  return commands.length > 0 ? ` See it first: ${commands.join(' and ')}` : '';
}

/** Rules of records that `jobs prune` counts. */
const COUNTED: ReadonlySet<string> = new Set(['job_runs', 'restatements']);

/** Adds `snapshots_daily=30` to those that stand before it. */
function change(text: string, before: RuleChanges = new Map()): RuleChanges {
  const [, rule = '', value = ''] = text.match(/^([a-z_]{1,40})=(usual|\d{1,6})$/) ?? [];
  if (value === '')
    throw new InvalidArgumentError('It must look like snapshots_daily=30, or snapshots_daily=usual');
  if (before.has(rule)) throw new InvalidArgumentError(`${rule} stands there twice`);
  return new Map([...before, [rule, value === 'usual' ? null : Number(value)]]);
}

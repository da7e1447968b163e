/** `rankings weights show` and `rankings weights set` */
import { type Command, InvalidArgumentError } from 'commander';
import { listWeights, setWeights, WEIGHT_MAX, type WeightChanges } from '#sql/rankings/weights.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { rollup } from '#tasks/rollup.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';

type OfBrand = { brand: string };

export function addWeights(command: Command, cli: Cli): void {
  const weights = command
    .command('weights')
    .description('how much each component counts in the score of a retailer');
  weights
    .command('show')
    .description('show the weights of a brand')
    .requiredOption('--brand <brand>', 'the brand')
    .action(async ({ brand }: OfBrand) => {
      await using session = await openSession(cli);
      await show(cli, session, brand);
    });
  weights
    .command('set')
    .description('set weights; every period of the brand is ranked anew')
    .argument('<weight...>', 'component=weight, such as growth=30; growth=usual takes it back', weight)
    .requiredOption('--brand <brand>', 'the brand')
    .action(async (changes: WeightChanges, { brand }: OfBrand) => {
      await using session = await openSession(cli);
      const found = await findBrand(session.db, brand);
      const isNew = await session.db.transaction(async (tx) => {
        const changed = await setWeights(tx, found, changes);
        if (changed) await enqueue(tx, rollup, { brandId: found.id, retailerId: null });
        return changed;
      });
      await show(cli, session, brand);
      cli.out.say(isNew ? `Every period of ${brand} is ranked anew.` : 'These weights hold already.');
    });
}

async function show(cli: Cli, { db }: Session, brand: string): Promise<void> {
  const { id } = await findBrand(db, brand);
  const weights = await listWeights(db, id);
  cli.out.list(
    weights.map(({ isOwn, ...row }) => ({ ...row, set_by: isOwn ? 'brand' : 'usual' })),
    ['component', 'weight', 'usual', 'set_by'],
  );
}

/** Adds `growth=30` to those that stand before it. */
function weight(text: string, before: WeightChanges = new Map()): WeightChanges {
  const [, component = '', value = ''] = text.match(/^([a-z_]{1,40})=(usual|\d{1,3}(?:\.\d{1,4})?)$/) ?? [];
  if (value === '' || (value !== 'usual' && Number(value) > WEIGHT_MAX))
    throw new InvalidArgumentError(`It must look like growth=30, with a weight of 0 to ${WEIGHT_MAX}`);
  if (before.has(component)) throw new InvalidArgumentError(`${component} stands there twice`);
  return new Map([...before, [component, value === 'usual' ? null : value]]);
}

import { exitCodes } from '#runtime/exit_codes.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { findRetailer } from '#sql/tenants/retailers.ts';
import type { Noun } from '../shared/noun.ts';
import { reasonLines } from '../shared/options/reason.ts';
import { openSession } from '../shared/session.ts';
import { day } from '../ui/arguments.ts';
import { count } from '../ui/format.ts';
import { explain } from './figure.ts';

type Options = { brand: string; retailer?: string; day: string };

export const noun: Noun = (command, cli) => {
  command
    .description(
      'say why a figure of a day is absent or not final, and what to type; or that it is there and final',
    )
    .argument('<figure>', 'a rollup such as daily_sales, or figures such as sales')
    .requiredOption('--brand <brand>', 'brand of the figure')
    .option(
      '--retailer <retailer>',
      'say what this retailer’s figure waits for; whether a day is final is judged for the whole brand',
    )
    .requiredOption('--day <day>', 'day in the brand’s time zone', day)
    .action(async (figure: string, options: Options) => {
      await using session = await openSession(cli);
      const { db } = session;
      const brand = await findBrand(db, options.brand);
      const retailer =
        options.retailer === undefined ? undefined : await findRetailer(db, brand.id, options.retailer);
      const found = await explain(db, { figure, brand, retailer, day: options.day });
      const whose = found.retailer === null ? found.brand : `${found.retailer} of ${found.brand}`;
      cli.out.record(found, () => [
        `${figure} of ${whose} on ${found.day}: ${found.state}${found.rows === null ? '' : `, ${count(found.rows, 'row')}`}`,
        ...reasonLines(found.reasons),
      ]);
      if (found.state !== 'final') cli.exitCode = exitCodes.partial;
    });
};

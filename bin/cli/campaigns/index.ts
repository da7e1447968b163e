import type { Command } from 'commander';
import { excessPlaces } from '#runtime/currencies.ts';
import {
  addCampaign,
  type CampaignFields,
  editCampaign,
  findCampaign,
  listCampaigns,
  removeCampaign,
  setWindow,
} from '#sql/campaigns/campaigns.ts';
import { listLinks } from '#sql/campaigns/links.ts';
import { listSpend } from '#sql/campaigns/spend.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { findRetailer, listRetailers } from '#sql/tenants/retailers.ts';
import type { Cli, Noun } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { amount, currency, day, slug, title, wholeNumber } from '../ui/arguments.ts';
import { confirmName } from '../ui/confirm.ts';
import { count } from '../ui/format.ts';
import { change, ofBrand } from './change.ts';
import { addLinkVerbs } from './links.ts';
import { addSpend } from './spend.ts';

export const noun: Noun = (command, cli) => {
  command.description('campaigns: what they cost, what names them, and which orders are credited to them');
  addAdd(command, cli);
  addList(command, cli);
  addShow(command, cli);
  addEdit(command, cli);
  addSpend(command, cli);
  addLinkVerbs(command, cli);
  addWindow(command, cli);
  addRemove(command, cli);
};

type Fields = {
  name?: string;
  from?: string;
  until?: string;
  budget?: string;
  currency?: string;
  retailer?: string | false;
};
type OfBrand = { brand: string };

function fieldOptions(verb: Command): Command {
  return verb
    .option('--name <name>', 'display name (default: the slug)', title)
    .option('--from <day>', 'first day', day)
    .option('--until <day>', 'last day', day)
    .option('--budget <amount>', 'what it may cost in all', amount)
    .option('--currency <currency>', 'currency of the budget', currency)
    .option('--retailer <retailer>', 'retailer that its spend is for')
    .option('--no-retailer', 'its spend is for all retailers (which it is at first)');
}

/** Those that were given. */
function fieldsOf({ name, from, until, budget, currency }: Fields): Partial<CampaignFields> {
  return {
    ...(name !== undefined && { name }),
    ...(from !== undefined && { startsOn: from }),
    ...(until !== undefined && { endsOn: until }),
    ...(budget !== undefined && { budget }),
    ...(currency !== undefined && { budgetCurrency: currency }),
  };
}

/** As `bi` names them. */
function said({ name, startsOn, endsOn, budget, budgetCurrency }: Partial<CampaignFields>) {
  return { name, starts_on: startsOn, ends_on: endsOn, budget, currency: budgetCurrency };
}

/** The retailer that is named, or none. */
async function ownerOf({ db }: Session, brandId: string, { retailer }: Fields) {
  if (retailer === undefined) return {};
  return { retailerId: retailer === false ? null : (await findRetailer(db, brandId, retailer)).id };
}

function checked(verb: Command, fields: CampaignFields): CampaignFields {
  if ((fields.budget === null) !== (fields.budgetCurrency === null))
    verb.error('error: --budget and --currency go together');
  const excess = excessPlaces(fields.budget ?? '', fields.budgetCurrency ?? '');
  if (excess !== undefined) verb.error(`error: --budget ${excess}`);
  if (fields.startsOn !== null && fields.endsOn !== null && fields.startsOn > fields.endsOn)
    verb.error('error: --until must not lie before --from');
  return fields;
}

function addAdd(command: Command, cli: Cli): void {
  const verb = fieldOptions(
    ofBrand(command.command('add').description('add a campaign')).argument(
      '<slug>',
      'its short name, such as spring-sale',
      slug,
    ),
  );
  verb.action(async (name: string, { brand, ...given }: Fields & OfBrand) => {
    const nothing = {
      name,
      startsOn: null,
      endsOn: null,
      budget: null,
      budgetCurrency: null,
      retailerId: null,
    };
    const fields = checked(verb, { ...nothing, ...fieldsOf(given) });
    await using session = await openSession(cli);
    const { id: brandId } = await findBrand(session.db, brand);
    const owner = await ownerOf(session, brandId, given);
    await change(session, brandId, (tx) => addCampaign(tx, { brandId, slug: name, ...fields, ...owner }));
    cli.out.record({ brand, campaign: name, ...said(fields) }, () => [`Added campaign ${name} of ${brand}.`]);
    cli.out.say(`Next: npx nightshift campaigns link ${name} utm_campaign VALUE --brand ${brand}`);
  });
}

function addList(command: Command, cli: Cli): void {
  ofBrand(command.command('list').description('list the campaigns of a brand')).action(
    async ({ brand }: OfBrand) => {
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      const { rows } = await session.db.query(
        `select campaign, status, reporting_currency as currency, spend, attributed_orders as orders,
                attributed_revenue as revenue, roi_percentage as roi
         from bi.campaign_performance where brand_id = $1 order by campaign`,
        [id],
      );
      cli.out.list(rows, ['campaign', 'status', 'spend', 'orders', 'revenue', 'roi', 'currency']);
    },
  );
}

function addShow(command: Command, cli: Cli): void {
  ofBrand(command.command('show').description('show what names a campaign and what was spent'))
    .argument('<campaign>', 'the campaign')
    .action(async (name: string, { brand }: OfBrand) => {
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      const campaign = await findCampaign(session.db, id, name);
      const [links, spend] = [await listLinks(session.db, campaign), await listSpend(session.db, campaign)];
      const { brandId: _, retailerId, ...rest } = campaign;
      const owner = (await listRetailers(session.db, id)).find((one) => one.id === retailerId);
      const shown = { ...rest, retailer: owner?.slug ?? null };
      cli.out.record({ brand, ...shown, links, spend }, () => [
        `${campaign.slug}  ${campaign.name}  ${campaign.startsOn ?? '…'} to ${campaign.endsOn ?? '…'}`,
        ...(owner ? [`  for retailer ${owner.slug}`] : []),
        ...(campaign.budget === null ? [] : [`  budget ${campaign.budget} ${campaign.budgetCurrency}`]),
        ...links.map(({ kind, value }) => `  ${kind}  ${value}`),
        ...spend.map((row) => `  ${row.day}  ${row.amount} ${row.currency}  ${row.source}`),
        ...(links.length === 0 ? ['  nothing names it yet, so no order is credited to it'] : []),
      ]);
    });
}

function addEdit(command: Command, cli: Cli): void {
  const verb = fieldOptions(
    ofBrand(
      command.command('edit').description('change the name, days, budget or retailer of a campaign'),
    ).argument('<campaign>', 'the campaign'),
  );
  verb.action(async (name: string, { brand, ...given }: Fields & OfBrand) => {
    await using session = await openSession(cli);
    const { id } = await findBrand(session.db, brand);
    const campaign = await findCampaign(session.db, id, name);
    const changes = { ...fieldsOf(given), ...(await ownerOf(session, id, given)) };
    checked(verb, { ...campaign, ...changes });
    await change(session, id, (tx) => editCampaign(tx, campaign, changes));
    cli.out.record({ brand, campaign: name, ...said(changes) }, () => [`Changed campaign ${name}.`]);
  });
}

const HOURS_MAX = 8_760;

function addWindow(command: Command, cli: Cli): void {
  ofBrand(
    command
      .command('window')
      .description('set how many hours after a touch an order may be credited to it (168 at first)'),
  )
    .argument('<hours>', 'whole hours; 0: only what the order itself says', wholeNumber(0, HOURS_MAX))
    .action(async (hours: number, { brand }: OfBrand) => {
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      await change(session, id, (tx) => setWindow(tx, id, hours));
      cli.out.record({ brand, hours }, () => [`Touches of ${brand} count for ${count(hours, 'hour')}.`]);
    });
}

function addRemove(command: Command, cli: Cli): void {
  ofBrand(command.command('remove').description('remove a campaign with its links and spend'))
    .argument('<campaign>', 'the campaign')
    .option('--yes <name>', 'confirm by repeating the name, for scripts')
    .action(async (name: string, { brand, yes }: OfBrand & { yes?: string }) => {
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      const campaign = await findCampaign(session.db, id, name);
      await confirmName(cli.io, `Type ${name} to remove it with its links and spend: `, { name, given: yes });
      await change(session, id, (tx) => removeCampaign(tx, campaign));
      const left = (await listCampaigns(session.db, id)).length;
      cli.out.record({ brand, campaign: name, removed: true, left }, () => [`Removed campaign ${name}.`]);
    });
}

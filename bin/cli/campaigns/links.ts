/** `campaigns link` and `campaigns unlink` */
import type { Command } from 'commander';
import { findCampaign } from '#sql/campaigns/campaigns.ts';
import { addLink, LINK_KINDS, type LinkKind, linkOf, removeLink } from '#sql/campaigns/links.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { change, ofBrand } from './change.ts';

const KINDS = Object.keys(LINK_KINDS) as LinkKind[];

export function addLinkVerbs(command: Command, cli: Cli): void {
  add(command, cli, 'link', 'say what names a campaign; orders that it reaches are credited anew');
  add(command, cli, 'unlink', 'take back what names a campaign');
}

function add(command: Command, cli: Cli, verb: 'link' | 'unlink', description: string): void {
  const made = ofBrand(command.command(verb).description(description)).argument('<campaign>', 'the campaign');
  const kinds = Object.entries(LINK_KINDS).map(([kind, means]) => `${kind} (${means})`);
  made.addArgument(made.createArgument('<kind>', kinds.join(', ')).choices(KINDS));
  made
    .argument('<value>', 'the word, code or id')
    .action(async (name: string, kind: LinkKind, value: string, { brand }: { brand: string }) => {
      const link = linkOf({ kind, value });
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      const campaign = await findCampaign(session.db, id, name);
      const changed = await change(session, id, async (tx) => {
        if (verb === 'link') return addLink(tx, campaign, link);
        await removeLink(tx, campaign, link);
        return true;
      });
      const does = verb === 'link' ? 'names' : 'no longer names';
      cli.out.record({ brand, campaign: name, ...link, changed }, () => [
        `${kind} ${link.value} ${does} ${name}.`,
      ]);
    });
}

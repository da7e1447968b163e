/** `connections webhooks`: how a provider delivers what changes. */
import type { Command } from 'commander';
import type { Cli } from '../../shared/noun.ts';
import { addAddVerb, addRemoveVerb } from './add.ts';
import { addCheckVerb, addListVerb } from './check.ts';
import { addRelayVerb } from './relay.ts';
import { addSecretVerb } from './secret.ts';

export function addWebhooks(command: Command, cli: Cli): void {
  const webhooks = command
    .command('webhooks')
    .description('deliveries of the provider: subscriptions, secrets, relays');
  const verbs = [addAddVerb, addListVerb, addCheckVerb, addRemoveVerb, addSecretVerb, addRelayVerb];
  for (const add of verbs) add(webhooks, cli);
}

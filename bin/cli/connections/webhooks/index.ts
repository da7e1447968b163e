/** `connections webhooks`: how a provider delivers what changes. */
import type { Command } from 'commander';
import type { Cli } from '../../shared/noun.ts';
import { addPrivacyVerb } from './privacy.ts';
import { addRelayVerb } from './relay.ts';
import { addSecretVerb } from './secret.ts';

export function addWebhooks(command: Command, cli: Cli): void {
  const webhooks = command.command('webhooks').description('deliveries of the provider: secrets and relays');
  for (const add of [addSecretVerb, addRelayVerb, addPrivacyVerb]) add(webhooks, cli);
}

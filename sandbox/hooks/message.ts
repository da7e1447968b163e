/** What a provider has to tell somebody: a topic and the body, byte for byte. */
import type { HookProvider } from './hooks.ts';

export type Message = {
  provider: HookProvider;
  account: string;
  /** As a subscription names it; of SendGrid the switch of each event, and it is sent to whoever wants one of them. */
  topic: string;
  /** The same for each repetition. */
  id: string;
  body: string;
};

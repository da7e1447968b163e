import type { Noun } from '../shared/noun.ts';
import { addDiscard, addRetry } from './act.ts';
import { addDigest } from './digest.ts';
import { addList, addShow } from './list.ts';
import { addSend } from './send.ts';
import { addSender } from './sender.ts';

export const noun: Noun = (command, cli) => {
  command.description(
    'mail: letters, each to one recipient, that are sent once; and the digest of each night',
  );
  for (const add of [addSender, addSend, addList, addShow, addRetry, addDiscard, addDigest])
    add(command, cli);
};

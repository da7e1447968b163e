import type { Noun } from '../shared/noun.ts';
import { addCreate } from './create.ts';
import { addDiff } from './diff.ts';
import { addExpire } from './expire.ts';
import { addList } from './list.ts';
import { addPin, addUnpin } from './pin.ts';
import { addRestore } from './restore.ts';
import { addShow } from './show.ts';
import { addRekey, addSync } from './sync.ts';
import { addVerify } from './verify.ts';

export const noun: Noun = (command, cli) => {
  command.description('snapshots: the data of a brand at one instant, in a store of encrypted files');
  for (const add of [addCreate, addList, addShow, addVerify, addDiff, addRestore]) add(command, cli);
  for (const add of [addExpire, addPin, addUnpin, addSync, addRekey]) add(command, cli);
};

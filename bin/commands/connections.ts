import type { Noun } from '../cli.ts';
import { addAdd } from '../connections/add.ts';
import { addCheck } from '../connections/check.ts';
import { addHold, addRelease } from '../connections/hold.ts';
import { addKey, addReseal } from '../connections/key.ts';
import { addLimits } from '../connections/limits.ts';
import { addList } from '../connections/list.ts';
import { addMove, addSetUrl } from '../connections/move.ts';
import { addRemove, addRename } from '../connections/remove.ts';

export const noun: Noun = (command, cli) => {
  command.description('connections: accounts at providers, and the sealed keys to them');
  for (const add of [
    addAdd,
    addList,
    addCheck,
    addHold,
    addRelease,
    addKey,
    addReseal,
    addMove,
    addRename,
    addRemove,
    addSetUrl,
    addLimits,
  ]) {
    add(command, cli);
  }
};

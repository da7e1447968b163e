import type { Noun } from '../shared/noun.ts';
import { addAdd } from './add.ts';
import { addCheck } from './check.ts';
import { addHold, addRelease } from './hold.ts';
import { addKey, addReseal } from './key.ts';
import { addLimits } from './limits.ts';
import { addList } from './list.ts';
import { addMove, addSetUrl } from './move.ts';
import { addMap, addParts, addUnmap } from './parts.ts';
import { addPersons } from './persons.ts';
import { addRemove, addRename } from './remove.ts';
import { addWebhooks } from './webhooks/index.ts';
import { addZone } from './zone.ts';

export const noun: Noun = (command, cli) => {
  command.description('connections: accounts at providers, with their sealed keys');
  for (const add of [
    addAdd,
    addList,
    addCheck,
    addHold,
    addRelease,
    addKey,
    addReseal,
    addMove,
    addMap,
    addUnmap,
    addParts,
    addRename,
    addRemove,
    addSetUrl,
    addLimits,
    addWebhooks,
    addPersons,
    addZone,
  ]) {
    add(command, cli);
  }
};

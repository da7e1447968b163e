import type { Noun } from '../shared/noun.ts';
import { addClose } from './close.ts';
import { addList } from './list.ts';
import { addReopen } from './reopen.ts';
import { addShow } from './show.ts';

export const noun: Noun = (command, cli) => {
  command.description(
    'periods: months that are closed; their figures stand still, and what changes is booked as an adjustment',
  );
  for (const add of [addClose, addList, addShow, addReopen]) add(command, cli);
};

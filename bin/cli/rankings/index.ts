import type { Noun } from '../shared/noun.ts';
import { addList } from './list.ts';
import { addWeights } from './weights.ts';

export const noun: Noun = (command, cli) => {
  command.description('rankings: the retailers of a brand beside one another, by day, week and month');
  addList(command, cli);
  addWeights(command, cli);
};

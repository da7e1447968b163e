import type { Noun } from '../shared/noun.ts';
import { addList } from './list.ts';
import { addShow } from './show.ts';

export const noun: Noun = (command, cli) => {
  command.description('nights: the nightly run of a brand, named by the day whose figures it completes');
  addList(command, cli);
  addShow(command, cli);
};

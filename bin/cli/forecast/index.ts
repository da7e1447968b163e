import type { Noun } from '../shared/noun.ts';
import { addRun } from './run.ts';
import { addShow } from './show.ts';

export const noun: Noun = (command, cli) => {
  command.description('forecast: net sales that are expected of each retailer for the next 28 days');
  addRun(command, cli);
  addShow(command, cli);
};

import type { Noun } from '../shared/noun.ts';
import { addImport } from './import.ts';
import { addShow } from './show.ts';
import { addList, addStatus } from './status.ts';
import { addSync } from './sync.ts';

export const noun: Noun = (command, cli) => {
  command.description('exchange rates: reference rates of the ECB, which convert figures to one currency');
  addSync(command, cli);
  addImport(command, cli);
  addShow(command, cli);
  addStatus(command, cli);
  addList(command, cli);
};

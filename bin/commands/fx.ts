import type { Noun } from '../cli.ts';
import { addImport } from '../fx/import.ts';
import { addShow } from '../fx/show.ts';
import { addList, addStatus } from '../fx/status.ts';
import { addSync } from '../fx/sync.ts';

export const noun: Noun = (command, cli) => {
  command.description('exchange rates: the ECB’s reference rates, by which figures become one currency');
  addSync(command, cli);
  addImport(command, cli);
  addShow(command, cli);
  addStatus(command, cli);
  addList(command, cli);
};

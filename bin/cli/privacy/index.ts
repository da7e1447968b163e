/** `privacy`: what is stored of a person, to be exported or erased. */
import type { Noun } from '../shared/noun.ts';
import { addDone } from './done.ts';
import { addErase } from './erase.ts';
import { addExport } from './export.ts';
import { addRequests } from './requests.ts';
import { addShow } from './show.ts';

export const noun: Noun = (command, cli) => {
  command.description('persons: what is stored of one, exported or erased, and requests of providers for it');
  for (const add of [addRequests, addShow, addExport, addErase, addDone]) add(command, cli);
};

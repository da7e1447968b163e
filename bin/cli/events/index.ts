import type { Noun } from '../shared/noun.ts';
import { addCodes } from './codes.ts';
import { addImport } from './import.ts';
import { addKeys } from './keys.ts';

export const noun: Noun = (command, cli) => {
  command.description(
    'events that senders of the brand report: views, carts, conversions, experiments, scans, downloads',
  );
  addImport(command, cli);
  addKeys(command, cli);
  addCodes(command, cli);
};

import type { Noun } from '../shared/noun.ts';
import { addImport } from './import.ts';

export const noun: Noun = (command, cli) => {
  command.description(
    'events that senders of the brand report: views, carts, conversions, experiments, scans, downloads',
  );
  addImport(command, cli);
};

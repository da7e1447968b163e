/** One request, once it is known who asks, with what the faults of the moment change of its answer. */
import type { FaultOf } from '../../faults.ts';
import type { Book, StripeWorld } from '../objects.ts';
import type { Caller } from './auth.ts';
import type { Params } from './query.ts';

export type Question = {
  method: string;
  path: string;
  params: Params;
  caller: Caller;
  world: StripeWorld;
  book: Book;
  /** Unix seconds. */
  now: number;
  faults: QuestionFaults;
};

export type QuestionFaults = {
  expiresCursor: boolean;
  repeats: () => boolean;
  reorders: () => boolean;
  late: ReadonlySet<string>;
  eventLagSeconds: number;
  showsOlder: (id: string) => boolean;
  balanceOff: readonly FaultOf<'balance_off'>[];
};

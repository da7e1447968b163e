/** A line of a scenario with its place, and what the account around it says. */
import type { Place } from '../../ndjson.ts';
import type { Drafts } from '../drafts.ts';
import type { StripeObject } from '../objects.ts';
import type { Doubt } from '../schema.ts';

export type Completion = { drafts: Drafts; livemode: boolean; currency: string; doubt: Doubt };
export type Given = { object: StripeObject; place: Place; context: Completion };

/** What SendGrid takes away. https://www.twilio.com/en-us/changelog */
import type { Retirement } from '../kit/provider.ts';

// Nothing that is read here: the legacy Campaigns API, which has been obsolete since 2026-07-02, is not.
export const retirements: readonly Retirement[] = [];

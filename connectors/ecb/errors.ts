/** Errors of the ECB's feeds and of files with its rates. */
import { coded } from '#runtime/errors.ts';

export const HISTORY_ADDRESS = 'https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip';

/** A place in a file; both begin with 1. */
export type Place = { line: number; column: number };

/** A file or answer that is refused completely. `retry`: the next copy may be valid. */
export class RatesNotUnderstood extends coded('NS_FX_NOT_UNDERSTOOD') {
  constructor(source: string, reason: string, place?: Place) {
    const where = place ? `${source}, line ${place.line}, column ${place.column}` : source;
    super(`The exchange rates cannot be read: ${where}: ${reason}. Nothing of it was stored.`, {
      hint: `Take the file from the ECB again and do not open it in a spreadsheet, which changes it: ${HISTORY_ADDRESS}`,
      context: { source, ...place },
    });
  }
}

export class FeedNotServed extends coded('NS_FX_FEED_NOT_SERVED') {
  constructor(address: string, answer: string, cause?: unknown) {
    super(`The ECB does not serve its exchange rates: ${answer} at ${address}.`, {
      hint: 'Check NIGHTSHIFT_ECB_URL. Rates can also come from a file: npx nightshift fx import FILE',
      context: { address, answer },
      cause,
    });
  }
}

const KEPT_MAX = 5_000;
const TEXT_MAX = 4_000;

export type Entry = {
  provider: string;
  shop: string;
  method: string;
  path: string;
  /** The GraphQL text, where there is one. */
  query?: string;
  variables?: unknown;
  status: number;
  requestedCost?: number;
  actualCost?: number | null;
  /** Codes of the errors in a 200 answer. */
  errors?: string[];
  bytes?: number;
  ms: number;
  /** Kinds of the faults that struck. */
  faults: string[];
};

/** What was asked of the sandbox, the newest last; keys and tokens never get in. */
export class RequestLog {
  #entries: ({ n: number; at: string } & Entry)[] = [];
  #count = 0;

  add(entry: Entry): void {
    const query = entry.query && entry.query.length > TEXT_MAX ? entry.query.slice(0, TEXT_MAX) : entry.query;
    this.#entries.push({ n: ++this.#count, at: new Date().toISOString(), ...entry, query });
    if (this.#entries.length > KEPT_MAX) this.#entries.shift();
  }

  list({ shop, since = 0 }: { shop?: string | undefined; since?: number }): object[] {
    return this.#entries.filter((entry) => entry.n > since && (shop === undefined || entry.shop === shop));
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#entries = [];
    this.#count = 0;
  }
}

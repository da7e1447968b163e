/**
 * As much of the peers' types as the benches use, so that a clone without bench/node_modules is checked like one
 * that has them.
 */
declare module 'bullmq' {
  type Connection = { url: string; maxRetriesPerRequest: null };
  type Job<T> = { name: string; data: T; opts?: { removeOnComplete?: boolean } };
  export class Queue {
    constructor(name: string, options: { connection: Connection });
    readonly name: string;
    addBulk(jobs: Job<unknown>[]): Promise<unknown>;
    obliterate(options: { force: boolean }): Promise<void>;
    close(): Promise<void>;
  }
  export class Worker<T> {
    constructor(
      queue: string,
      body: (job: Job<T>) => Promise<void>,
      options: { connection: Connection; concurrency: number },
    );
    on(event: 'error', listener: (error: Error) => void): this;
    close(): Promise<void>;
  }
}

declare module 'ioredis' {
  type Options = { lazyConnect: boolean; connectTimeout: number; retryStrategy: () => null };
  export class Redis {
    constructor(url: string, options: Options);
    on(event: 'error', listener: (error: Error) => void): this;
    connect(): Promise<void>;
    info(section: string): Promise<string>;
    disconnect(): void;
  }
}

declare module 'pg-boss' {
  type WorkOptions = { batchSize: number; burstWhenBatchFull: boolean; pollingIntervalSeconds: number };
  export class PgBoss {
    constructor(options: { connectionString: string; max: number; schema: string });
    on(event: 'error', listener: (error: Error) => void): this;
    start(): Promise<unknown>;
    stop(): Promise<void>;
    createQueue(name: string): Promise<unknown>;
    insert(name: string, jobs: { data: object }[]): Promise<unknown>;
    work<T>(
      name: string,
      options: WorkOptions,
      body: (batch: { data: T }[]) => Promise<unknown>,
    ): Promise<string>;
  }
}

declare module '@supabase/stripe-sync-engine' {
  export function runMigrations(options: { databaseUrl: string; schema: string }): Promise<void>;
  type Options = {
    schema: string;
    stripeSecretKey: string;
    stripeWebhookSecret: string;
    autoExpandLists: boolean;
    backfillRelatedEntities: boolean;
    poolConfig: { connectionString: string; max: number };
  };
  export class StripeSync {
    constructor(options: Options);
    readonly stripe: { charges: object };
    syncCharges(): Promise<unknown>;
    close(): Promise<void>;
  }
}

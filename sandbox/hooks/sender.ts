/**
 * Sends what the providers have to tell to whoever has subscribed: at least once, in any order, again and again until it is
 * taken. Pauses are seconds where the real ones are minutes and hours.
 */
import type { FaultOf, Faults } from '../faults.ts';
import { sleep } from '../http.ts';
import { pseudoRandom, shuffle } from '../random.ts';
import type { Hook, Hooks } from './hooks.ts';
import type { Message } from './message.ts';
import { headersOf } from './sign.ts';

/** A real provider goes on for hours or days. */
const PAUSES_MS = [200, 400, 800, 1_500, 3_000, 5_000, 10_000, 20_000];
const TIMEOUT_MS = 5_000;
const SENDERS_MAX = 8;
const KEPT_MAX = 5_000;
const STALE_SECONDS = 3_600;
/** Ayrshare never sends again what was refused, but for these. */
const LATER = new Set([408, 425, 429]);

export type Sent = {
  n: number;
  provider: string;
  account: string;
  topic: string;
  id: string;
  hook: string;
  attempt: number;
  /** 0: no answer. */
  status: number;
  faults: string[];
};

export type SenderOptions = {
  hooks: Hooks;
  faults: Faults;
  /** The secret of the app of a shop, or those of a profile, the newest first. */
  secretsOf(hook: Hook): readonly string[];
  /** By which the pauses between tries are multiplied; 1 by default. */
  pauseFactor?: number;
};

export type Sending = { times?: number; shuffle?: boolean; senders?: number };

type Job = { hook: Hook; message: Message; attempt: number };

export class Sender {
  readonly #options: SenderOptions;
  readonly #sent: Sent[] = [];
  readonly #told: Message[] = [];
  readonly #stop = new AbortController();
  #pending = 0;
  #count = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Sends messages to all that want them; gives how many deliveries that makes. Resolves before they are made. */
  send(
    messages: readonly Message[],
    { times = 1, shuffle: isShuffled = false, senders = SENDERS_MAX }: Sending = {},
  ) {
    this.#told.push(...messages);
    this.#told.splice(0, Math.max(0, this.#told.length - KEPT_MAX));
    const jobs = messages.flatMap((message) =>
      this.#wanting(message).flatMap((hook) =>
        Array.from({ length: times + this.#repeats(message) }, (): Job => ({ hook, message, attempt: 1 })),
      ),
    );
    const strikes = messages.some((message) => this.#strikes('shuffled', message));
    if (isShuffled || strikes) shuffle(jobs, pseudoRandom(jobs.length));
    this.#pending += jobs.length;
    const queue = [...jobs];
    const sender = async () => {
      for (let job = queue.shift(); job !== undefined; job = queue.shift()) await this.#deliver(job);
    };
    for (let n = 0; n < Math.min(senders, SENDERS_MAX, jobs.length); n++) void sender();
    return jobs.length;
  }

  /** All that was told of an account so far, the oldest first. */
  told(provider: string, account: string): Message[] {
    return this.#told.filter((message) => message.provider === provider && message.account === account);
  }

  report(): { pending: number; deliveries: Sent[] } {
    return { pending: this.#pending, deliveries: [...this.#sent] };
  }

  clear(): void {
    this.#sent.length = 0;
    this.#told.length = 0;
  }

  close(): void {
    this.#stop.abort();
  }

  #wanting({ provider, account, topic }: Message): Hook[] {
    const topics = topic.split(' ');
    return this.#options.hooks
      .list(provider, account)
      .filter(
        (hook) =>
          hook.enabled && (hook.topics.includes('*') || topics.some((one) => hook.topics.includes(one))),
      );
  }

  #repeats(message: Message): number {
    return this.#fault('repeated', message)?.times ?? 0;
  }

  #strikes(how: FaultOf<'webhook'>['how'], message: Message): boolean {
    return this.#fault(how, message) !== undefined;
  }

  #fault(how: FaultOf<'webhook'>['how'], { account, topic, body }: Message): FaultOf<'webhook'> | undefined {
    const { faults } = this.#options;
    const target = { shop: account, text: `${topic} ${body}`, on: 'graphql' as const };
    return faults.take('webhook', target, (fault) => fault.how === how);
  }

  /** One attempt, and all that follow it. */
  async #deliver(job: Job): Promise<void> {
    for (const pause of [...PAUSES_MS, undefined]) {
      if (this.#stop.signal.aborted) break;
      const status = await this.#attempt(job);
      const isTaken = status >= 200 && status < 300;
      const isRefused =
        job.hook.provider === 'ayrshare' && status >= 400 && status < 500 && !LATER.has(status);
      if (isTaken || isRefused || this.#isGone(job)) break;
      if (pause === undefined) this.#giveUp(job);
      else await sleep(pause * (this.#options.pauseFactor ?? 1));
      job.attempt += 1;
    }
    this.#pending -= 1;
  }

  #isGone({ hook }: Job): boolean {
    return this.#options.hooks.find(hook.provider, hook.account, hook.id) === undefined;
  }

  /** Shopify deletes a subscription after eight failures in a row. */
  #giveUp({ hook }: Job): void {
    if (hook.provider === 'shopify') this.#options.hooks.remove(hook);
  }

  async #attempt({ hook, message, attempt }: Job): Promise<number> {
    const faults: string[] = [];
    const strikes = (how: FaultOf<'webhook'>['how']) => {
      const is = this.#strikes(how, message);
      if (is) faults.push(how);
      return is;
    };
    const status = strikes('lost')
      ? 0
      : await this.#post(hook, message, attempt, {
          isAltered: strikes('altered'),
          isUnsigned: strikes('unsigned'),
          isStale: strikes('stale'),
        });
    const { provider, account, topic, id } = message;
    this.#count += 1;
    this.#sent.push({ n: this.#count, provider, account, topic, id, hook: hook.id, attempt, status, faults });
    if (this.#sent.length > KEPT_MAX) this.#sent.shift();
    return status;
  }

  async #post(
    hook: Hook,
    message: Message,
    attempt: number,
    { isAltered, isUnsigned, isStale }: { isAltered: boolean; isUnsigned: boolean; isStale: boolean },
  ): Promise<number> {
    // The address and the keys as they are now: it may have been changed since.
    const current = this.#options.hooks.find(hook.provider, hook.account, hook.id) ?? hook;
    const seconds = Math.floor(Date.now() / 1000) - (isStale ? STALE_SECONDS : 0);
    const secrets = this.#options.secretsOf(current);
    const signed = headersOf({ hook: current, message, secrets, seconds, attempt });
    const headers = isUnsigned ? { 'content-type': 'application/json' } : signed;
    // One byte more than was signed.
    const body = isAltered ? `${message.body} ` : message.body;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      const answer = await fetch(current.url, { method: 'POST', headers, body, redirect: 'manual', signal });
      await answer.body?.cancel();
      return answer.status;
    } catch {
      return 0;
    }
  }
}

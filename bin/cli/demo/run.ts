/** Runs the demo from beginning to end. A second run finds what the first has created, and changes nothing. */
import { migrate } from '#sql/db/migrate.ts';
import { placeOf } from '#sql/db/pool.ts';
import { keyringOf } from '../shared/keyring.ts';
import { startLocalWorker } from '../shared/local_worker.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { DemoDiffers } from '../ui/errors.ts';
import { differences, KNOWN_TOTALS, readFigures } from './figures.ts';
import { readForecast, wrongForecast } from './forecast.ts';
import { loseAndRestore, wrongLoss } from './loss.ts';
import { readMoney, wrongMoney } from './money.ts';
import { readReach, wrongReach } from './reach.ts';
import { ATTRIBUTIONS, reportLines } from './report.ts';
import { type SandboxProcess, startSandboxProcess } from './sandbox_process.ts';
import { setUp } from './setup.ts';
import { makeSteps } from './steps.ts';
import { readVerdicts, wrongVerdicts } from './verdicts.ts';
import { syncAndRollUp } from './work.ts';

const CONCURRENCY = 4; // accounts side by side: enough to keep two cores busy while some wait for their provider

/** `keep` resolves when everything may stop. */
export async function runDemo(cli: Cli, { keep }: { keep: () => Promise<void> }): Promise<void> {
  const steps = makeSteps(cli.out.say);
  const comingUp = startSandboxProcess(); // reads its data while PostgreSQL starts
  await using _ = whenThere(comingUp);
  await using session = await steps.run('PostgreSQL', () => openSession(cli, { anySchema: true }));
  const { db, embedded } = session;
  await steps.run('schema', () => migrate(db));
  const sandbox = await steps.run('sandbox: the providers and the ECB', () => comingUp);
  const giftware = await setUp(db, await keyringOf(cli, session), sandbox.places);
  await using worker = await startLocalWorker(cli, withFeed(session, sandbox), { concurrency: CONCURRENCY });
  const place = { db, worker, giftware, now: sandbox.now };
  const work = await syncAndRollUp(steps, place);
  const { id } = giftware.brand;
  const [figures, money, reach, forecast, verdicts] = await steps.run('figures: read from bi', () =>
    Promise.all([
      readFigures(db, id),
      readMoney(db, id),
      readReach(db, id),
      readForecast(db, id),
      readVerdicts(db, id),
    ]),
  );
  const loss = await loseAndRestore(cli, session, { steps, place });
  const wrong = differences(figures.totals);
  const exact = wrong.length === 0;
  const shown = { ...figures, exact, money, reach, verdicts, forecast, loss, work, steps: steps.done };
  const where = { database: placeOf(session.url), attribution: ATTRIBUTIONS };
  cli.out.record({ ...shown, known_totals: KNOWN_TOTALS, ...where }, () =>
    reportLines({ ...shown, embedded }),
  );
  wrong.push(...wrongMoney(money), ...wrongReach(reach), ...wrongForecast(forecast));
  wrong.push(...wrongVerdicts(verdicts), ...wrongLoss(loss));
  if (wrong.length > 0) throw new DemoDiffers(wrong);
  await keep();
}

/** The worker reads exchange rates from the sandbox, regardless of the settings. */
function withFeed(session: Session, sandbox: SandboxProcess): Session {
  return { ...session, config: { ...session.config, ecbUrl: `${sandbox.url}/ecb/stats/eurofxref` } };
}

/** Stops what is still starting when the scope is left, so that a failure leaves nothing behind. */
function whenThere(coming: Promise<AsyncDisposable>): AsyncDisposable {
  coming.catch(() => {}); // its awaiter gets the error
  return {
    async [Symbol.asyncDispose]() {
      const there = await coming.catch(() => undefined);
      await there?.[Symbol.asyncDispose]();
    },
  };
}

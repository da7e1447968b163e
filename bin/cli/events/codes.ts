/** `events codes`: what is usual of the scans of a code. */
import { type Command, InvalidArgumentError } from 'commander';
import { addCode, type Code, listCodes, OTHERS, removeCode } from '#sql/events/codes.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { rollup } from '#tasks/rollup.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { wholeNumber } from '../ui/arguments.ts';
import { ofBrand } from './keys.ts';

const PER_DEVICE_MAX = 1_000_000;
/** No place is further away than half around the Earth. */
const RADIUS_KM_MAX = 20_038;
const PLACE = /^(-?\d{1,2}(?:\.\d{1,6})?),(-?\d{1,3}(?:\.\d{1,6})?),(\d{1,5}(?:\.\d{1,3})?)$/;

type Place = Pick<Code, 'latitude' | 'longitude' | 'radiusKm'>;
type Options = { brand: string; perDevice?: number; within?: Place };

export function addCodes(command: Command, cli: Cli): void {
  const codes = command
    .command('codes')
    .description('what is usual of the scans of codes; all else is told in bi.daily_scans');
  const verb = ofBrand(
    codes.command('add').description('say what is usual of a code; replaces what was said before'),
  )
    .argument('<code>', `the code, or ${OTHERS} for all others`, code)
    .option('--per-device <n>', 'scans of one device on one day', wholeNumber(1, PER_DEVICE_MAX))
    .option('--within <lat,lon,km>', 'where it is scanned, such as 52.52,13.405,10', place);
  verb.action(async (name: string, { brand, perDevice, within }: Options) => {
    if (perDevice === undefined && within === undefined)
      verb.error('error: --per-device or --within is needed');
    const nowhere = { latitude: null, longitude: null, radiusKm: null };
    const limits = { code: name, perDevice: perDevice ?? null, ...(within ?? nowhere) };
    await change(cli, brand, (tx, id) => addCode(tx, id, limits));
    cli.out.record({ brand, ...said(limits) }, () => [`Its scans are computed again: ${name}.`]);
  });
  ofBrand(codes.command('list').description('list them')).action(async ({ brand }: Options) => {
    await using session = await openSession(cli);
    const { id } = await findBrand(session.db, brand);
    const listed = await listCodes(session.db, id);
    cli.out.list(listed.map(said), ['code', 'per_device', 'latitude', 'longitude', 'radius_km']);
  });
  ofBrand(codes.command('remove').description('take back what was said of a code'))
    .argument('<code>', 'the code')
    .action(async (name: string, { brand }: Options) => {
      await change(cli, brand, (tx, id) => removeCode(tx, id, name));
      cli.out.record({ brand, code: name, removed: true }, () => [`Removed what was said of ${name}.`]);
    });
}

function said({ code, perDevice, latitude, longitude, radiusKm }: Code) {
  return { code, per_device: perDevice, latitude, longitude, radius_km: radiusKm };
}

type Change = (tx: Parameters<typeof addCode>[0], brandId: string) => Promise<void>;

async function change(cli: Cli, brand: string, apply: Change): Promise<void> {
  await using session = await openSession(cli);
  const { id: brandId } = await findBrand(session.db, brand);
  await session.db.transaction(async (tx) => {
    await apply(tx, brandId);
    await enqueue(tx, rollup, { brandId, retailerId: null });
  });
}

function code(text: string): string {
  if (text.length > 200 || /\p{Cc}/u.test(text) || text === '')
    throw new InvalidArgumentError('It must be 1 to 200 characters without control characters');
  return text;
}

function place(text: string): Place {
  const [, latitude = '', longitude = '', radiusKm = ''] = PLACE.exec(text) ?? [];
  const isPlace = latitude !== '' && Math.abs(Number(latitude)) <= 90 && Math.abs(Number(longitude)) <= 180;
  if (isPlace && Number(radiusKm) > 0 && Number(radiusKm) <= RADIUS_KM_MAX)
    return { latitude, longitude, radiusKm };
  throw new InvalidArgumentError('It must be latitude, longitude and kilometres, like 52.52,13.405,10');
}

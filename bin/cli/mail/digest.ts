/** `mail digest` */
import { type Command, Option } from 'commander';
import { addressOf, digestRecipients, endDigest, setDigest } from '#sql/mail/digests.ts';
import { recipientsOf } from '#sql/mail/letters.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { digestLanguages } from '#tasks/mail/templates.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';
import { findMailing } from './find.ts';
import { readRecipients, type ToOptions, toOptions } from './input.ts';

/** Each gets a letter each night. */
const RECIPIENTS_MAX = 50;

type Options = ToOptions & { brand: string; connection?: string; language?: string; off?: boolean };

export function addDigest(command: Command, cli: Cli): void {
  const verb = command
    .command('digest')
    .description(
      'say who gets the digest of each night of a brand, once it is final or its deadline has come; or show it',
    )
    .requiredOption('--brand <brand>', 'the brand')
    .option(
      '--connection <connection>',
      'connection that sends it (default: the only one that has a sender)',
    );
  toOptions(verb)
    .addOption(new Option('--language <code>', 'in which it is written').choices(digestLanguages))
    .option('--off', 'nobody gets it any more')
    .action((options: Options) => digest(cli, options));
}

async function digest(cli: Cli, options: Options): Promise<void> {
  const { brand: slug, connection, to, toFile, language, off = false } = options;
  const isSet = (to ?? toFile) !== undefined;
  if (isSet && off) throw new UsageError('To somebody, or to nobody?', 'leave --off or --to out');
  if (language !== undefined && !isSet)
    throw new UsageError('For whom?', 'name all recipients: --to ADDRESS');
  const addresses = isSet ? await readRecipients(options, cli) : [];
  if (addresses.length > RECIPIENTS_MAX)
    throw new UsageError(`At most ${RECIPIENTS_MAX} get a digest.`, 'use the address of a list');
  await using session = await openSession(cli);
  const { db } = session;
  const { id: brandId } = await findBrand(db, slug);
  const { sealer } = await keyringOf(cli, session);
  if (isSet) {
    const { connection: by } = await findMailing(cli, db, { brand: slug, connection });
    await db.transaction(async (tx) => {
      const recipients = await recipientsOf(tx, sealer, brandId, addresses);
      await setDigest(tx, sealer, { brandId, connectionId: by.id }, recipients, language);
    });
  } else if (off) await db.transaction((tx) => endDigest(tx, brandId));
  const recipients = (await digestRecipients(db, brandId)).map((one) => addressOf(sealer, one)).sort();
  cli.out.record({ brand: slug, recipients }, () => [
    recipients.length === 0
      ? `Nobody gets the digest of ${slug}.`
      : `${count(recipients.length, 'recipient')} of the digest of ${slug}: ${recipients.join(', ')}`,
  ]);
}

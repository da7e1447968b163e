/** Templates of letters: those of the product, which are written here, and those of a provider, which are its own. */
import { z } from 'zod';
import type { Mail, MailBody } from '#connectors/kit/mail.ts';
import { coded } from '#runtime/errors.ts';
import { scrub } from '#runtime/scrub.ts';
import type { Variables } from '#sql/mail/letters.ts';

export class MailUnfit extends coded('NS_MAIL_UNFIT') {
  constructor(message: string, hint: string) {
    super(message, { hint });
  }
}

type Words = { subject: string; lines: readonly string[] };

type Template = {
  name: string;
  /** The first one if none is asked for. */
  languages: readonly string[];
  variables: z.ZodObject;
  words(variables: Variables, language: string): Words;
};

const LINE_CHARS_MAX = 4_000;
const LINES_MAX = 1_000;
const line = z.string().max(LINE_CHARS_MAX);
const subject = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\r\n]+$/, 'one line wanted');

function define<S extends z.ZodObject>(
  template: Omit<Template, 'variables' | 'words'> & {
    variables: S;
    words(variables: z.output<S>, language: string): Words;
  },
): Template {
  return { ...template, words: (given, language) => template.words(given as z.output<S>, language) };
}

const notice = define({
  name: 'notice',
  languages: ['en'],
  variables: z.strictObject({ subject, text: z.string().min(1).max(20_000) }),
  words: ({ subject: said, text }) => ({ subject: said, lines: text.split('\n') }),
});

const WORDS = {
  en: { final: 'the figures are final', provisional: 'the figures are not final yet', more: 'More:' },
  de: { final: 'die Zahlen stehen fest', provisional: 'die Zahlen stehen noch nicht fest', more: 'Mehr:' },
} as const;

const digest = define({
  name: 'digest',
  languages: ['en', 'de'],
  variables: z.strictObject({
    brand: z.string().max(63),
    day: z.iso.date(),
    is_final: z.boolean(),
    lines: z.array(line).max(LINES_MAX),
  }),
  words({ brand, day, is_final, lines }, language) {
    const words = WORDS[language as keyof typeof WORDS];
    const state = is_final ? words.final : words.provisional;
    const more = `${words.more} npx nightshift nights show --brand ${brand} --date ${day}`;
    return {
      subject: `${brand} ${day}: ${state}`,
      lines: [`${brand}  ${day}: ${state}`, '', ...lines, '', more],
    };
  },
});

const templates: readonly Template[] = [notice, digest];

export const digestLanguages = digest.languages;

export const templateNames: readonly string[] = templates.map(({ name }) => name);

export type Wanted = { template: string; language: string | null; variables: Variables };

/** Of all variables together, as JSON. */
export const VARIABLES_BYTES_MAX = 256 * 1024;
const LANGUAGE = /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2}$/;

/** The body of a letter. Throws NS_MAIL_UNFIT for what the template cannot be filled with. */
export function bodyOfLetter(mail: Mail, wanted: Wanted): MailBody {
  const { template: name, language, variables } = wanted;
  const bytes = Buffer.byteLength(JSON.stringify(variables));
  if (bytes > VARIABLES_BYTES_MAX)
    throw new MailUnfit(
      `The variables have ${bytes} bytes of JSON, and at most ${VARIABLES_BYTES_MAX} are sent.`,
      'shorten them, or link to what is long',
    );
  const own = templates.find((template) => template.name === name);
  if (own !== undefined) return filled(own, wanted);
  if (!mail.isTemplate(name))
    throw new MailUnfit(
      `There is no template ${name}.`,
      `There are ${templateNames.join(', ')}, and those of the provider: ${mail.templateForm}.`,
    );
  if (language !== null && !LANGUAGE.test(language))
    throw new MailUnfit(`'${language}' is no language.`, 'Use its code, such as en, de or pt-BR.');
  return { template: name, variables: language === null ? variables : { ...variables, language } };
}

function filled(
  { name, languages, variables: shape, words }: Template,
  { language, variables }: Wanted,
): MailBody {
  const spoken = language ?? languages[0] ?? '';
  if (!languages.includes(spoken))
    throw new MailUnfit(`Template ${name} is not written in ${spoken}.`, `It is in ${languages.join(', ')}.`);
  const { success, data, error } = shape.safeParse(variables);
  if (!success)
    throw new MailUnfit(
      `The variables do not fit template ${name}: ${z.prettifyError(error).replaceAll('\n', ' ')}`,
      `It takes ${Object.keys(shape.shape).join(', ')}: --var NAME=VALUE, or --vars FILE with a JSON object`,
    );
  const { subject: said, lines } = words(data, spoken);
  const text = lines.join('\n');
  return { subject: said, text: `${text}\n`, html: htmlOf(text) };
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Columns stay under one another. */
function htmlOf(text: string): string {
  const safe = text.replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign);
  return `<!doctype html>\n<html><body><pre style="font-family: monospace; white-space: pre-wrap">${safe}</pre></body></html>\n`;
}

const CAMPAIGN = /^\w[\w.:-]{0,99}$/;

/** Throws NS_MAIL_UNFIT for a name that would not come back with the events of its letters. */
export function checkedCampaign(name: string): string {
  if (CAMPAIGN.test(name) && scrub(name) === name) return name;
  throw new MailUnfit(
    'That cannot name a campaign.',
    'Use 1 to 100 letters, digits and any of _ . : - and nothing that looks like an address, a number of a telephone or a key.',
  );
}

const ADDRESS_CHARS_MAX = 254;

/** Throws NS_MAIL_UNFIT. The address is not repeated whole: what is typed in its place may be a secret. */
export function checkedAddress(typed: string, which = 'A recipient'): string {
  const address = typed.trim();
  if (address.length <= ADDRESS_CHARS_MAX && z.email().safeParse(address).success) return address;
  throw new MailUnfit(`${which} is no e-mail address.`, 'Write it as name, @ and host.');
}

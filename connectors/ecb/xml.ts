/**
 * The XML layout: three nested `Cube`s of the eurofxref namespace, the container, the day (`time`) and
 * the rate (`currency`, `rate`). Quotes, white space and zeros at the ends differ between the files.
 */
import sax from 'sax';
import type { Place } from './errors.ts';
import { type Collector, collect, type Origin, type Published } from './published.ts';

const NAMESPACE = 'http://www.ecb.int/vocabulary/2002-08-01/eurofxref';

export function readXml(text: string, origin: Origin): Published {
  const collector = collect(origin);
  const parser = sax.parser(true, { xmlns: true, position: true });
  let place: Place = { line: 1, column: 1 };
  parser.onopentagstart = ({ name }) => {
    // The parser has read the name and one character more.
    place = { line: parser.line + 1, column: Math.max(1, parser.column - name.length - 1) };
  };
  parser.onopentag = (tag) => {
    if ('uri' in tag && tag.uri === NAMESPACE && tag.local === 'Cube') takeCube(collector, tag, place);
  };
  parser.onerror = ({ message }) =>
    collector.fail(message.split('\n')[0] ?? message, { line: parser.line + 1, column: parser.column + 1 });
  parser.ondoctype = () =>
    collector.fail('it has a DOCTYPE, which no file of the ECB has', {
      line: parser.line + 1,
      column: parser.column + 1,
    });
  parser.write(text).close();
  return collector.finish('XML');
}

function takeCube(collector: Collector, { attributes }: sax.QualifiedTag, place: Place): void {
  const [time, currency, rate] = ['time', 'currency', 'rate'].map((name) => attributes[name]?.value);
  if (time !== undefined) collector.day(time, place);
  else if (currency !== undefined && rate !== undefined) collector.rate(currency, rate, place);
  else if (currency !== undefined) collector.fail(`no rate beside ${currency}`, place);
  else if (rate !== undefined) collector.fail(`a rate of ${rate} without a currency`, place);
}

/** The web server with Acorn among its providers, in a process that can be killed: node acorn_web.ts <url>. */
import { makeKeyring } from '#connectors/providers.ts';
import { startWeb } from '#workers/web/web.ts';
import { withAcorn } from '../acorn/provider.ts';
import { testSealer } from '../rows/factory.ts';
import { quiet } from '../run.ts';

const [, , url = '', port = '0'] = process.argv;
const address = { host: '127.0.0.1', port: Number(port) };
const web = await startWeb({
  ...{ url, log: quiet, services: makeKeyring(testSealer, [], withAcorn) },
  ...{ public: address, metrics: { host: '127.0.0.1', port: 0 } },
});
console.log(web.url);

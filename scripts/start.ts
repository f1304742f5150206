/**
 * `npm start`: serves on 127.0.0.1:8080 with data in ./data, and makes a demo project there when nothing is there yet.
 *
 * Takes the options of `tidegate serve`, as arguments and as TIDEGATE_* variables, but logs from `warn` on, so that what it prints
 * stays in sight. One process: the import and the server are those of the CLI, called directly, and a signal ends it all.
 */
import { commandHelp } from '../src/commands/help.ts';
import { SERVER_OPTIONS, serverConfigOf } from '../src/commands/server-config.ts';
import { serveCommand } from '../src/commands/serve.ts';
import { parseOptions } from '../src/config/parse-options.ts';
import { AppError, ConfigurationError } from '../src/errors/app-error.ts';
import { openHttpServer } from '../src/http/server.ts';
import { openServer, type ServerConfig } from '../src/system.ts';
import { openDemoProject } from './demo-project.ts';
import { demoText } from './demo-text.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** A terminal sends Ctrl-C to npm and to us, and npm sends it on: two signals that are one wish. */
const SAME_WISH_MS = 1_000;
const PARENT_POLL_MS = 1_000;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(commandHelp(serveCommand));
    return;
  }
  const environment = { TIDEGATE_LOG_LEVEL: 'warn', ...process.env };
  const command = { options: SERVER_OPTIONS, required: [], takesPositionals: false };
  const config = serverConfigOf(parseOptions(args, environment, command).values);
  await refuseTakenAddress(config);
  const demo = await openDemoProject(config, (line) => console.error(line));
  const server = await openServer(config);
  const stop = stopRequest();
  const baseUrl = `http://${reachableHost(server.host)}:${server.port}`;
  console.log(`\nTidegate serves on ${baseUrl} with data in ${config.data}. Ctrl-C stops it.\n`);
  console.log(demo ? demoText({ ...demo, baseUrl }) : 'Its projects: bin/tidegate project list\n');
  await stop;
  await server.close();
}

/** Says that the port is taken before a demo project is made in vain. @throws ConfigurationError */
async function refuseTakenAddress({ listen, logger }: ServerConfig): Promise<void> {
  const probe = await openHttpServer({ listen, logger });
  await probe.close();
}

/** Where this machine reaches a server that listens on all of its addresses. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** Resolves with the first signal, or when the npm that started us is gone. A later signal ends the process at once. */
function stopRequest(): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let askedMs: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (askedMs !== undefined && performance.now() - askedMs > SAME_WISH_MS) process.exit(EXIT_FAILED);
      askedMs ??= performance.now();
      resolve(undefined);
    });
  }
  if (process.env.npm_lifecycle_event === 'start') {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) resolve(undefined);
    }, PARENT_POLL_MS).unref();
  }
  return promise;
}

function tell(error: unknown): number {
  if (error instanceof ConfigurationError) {
    for (const fault of error.faults) console.error(`tidegate: ${fault}`);
    return EXIT_USAGE;
  }
  if (error instanceof AppError) console.error(`tidegate: ${error.message} ${error.advice}`);
  else console.error('tidegate: something went wrong that should not:', error);
  return EXIT_FAILED;
}

process.exit(await main(process.argv.slice(2)).then(() => 0, tell));

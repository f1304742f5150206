/**
 * The program's entry: finds the command, reads its options, runs it, and turns what it throws into words and an exit code.
 *
 * The only place that ends the process. Exit codes: 0 done, 1 failed, 2 wrong options. A first SIGINT or SIGTERM asks the command
 * to stop. A second one ends the process at once, and so does a stop that takes too long: by SIGKILL, because an orderly exit
 * joins every thread, and would wait for a disk that hangs.
 */
import { readFileSync } from 'node:fs';
import { COMMANDS } from './commands/commands.ts';
import { commandHelp, groupHelp, programHelp } from './commands/help.ts';
import { parseOptions } from './config/parse-options.ts';
import { AppError, ConfigurationError } from './errors/app-error.ts';
import { describeFaultOfFile, isSystemError } from './lib/system-error.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** Below the 30 s after which Kubernetes kills, and above what the server's own limits add up to. */
const STOP_LIMIT_MS = 28_000;

function version(): string {
  const packageJson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return packageJson.version;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args[0] === '--help' || args[0] === '-h' || args[0] === 'help') {
    console.log(programHelp(COMMANDS, version()));
    return args.length === 0 ? EXIT_USAGE : 0;
  }
  if (args[0] === '--version') {
    console.log(version());
    return 0;
  }
  const command = COMMANDS.find(({ words }) => words.every((word, place) => args[place] === word));
  if (!command) {
    if (args[0]?.startsWith('-')) {
      console.error(`tidegate: ${args[0]} stands before the command; write tidegate COMMAND [OPTIONS].`);
      return EXIT_USAGE;
    }
    const words = args.filter((word) => !word.startsWith('-'));
    const begun = COMMANDS.filter((one) => one.words.length > 1 && one.words[0] === words[0]);
    if (begun.length > 0 && words.length === 1) {
      const isHelp = args.length > 1;
      (isHelp ? console.log : console.error)(groupHelp(begun));
      return isHelp ? 0 : EXIT_USAGE;
    }
    console.error(`tidegate: there is no command "${words.join(' ')}"; see tidegate --help.`);
    return EXIT_USAGE;
  }
  const rest = args.slice(command.words.length);
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(commandHelp(command));
    return 0;
  }
  const { values, positionals } = parseOptions(rest, process.env, {
    options: command.options,
    required: command.required ?? [],
    argumentsOnly: command.argumentsOnly ?? [],
    takesPositionals: command.positionals !== undefined,
  });
  const context = {
    options: values,
    positionals,
    print: (line: string) => console.log(line),
    // Made when asked for: a command that does not ask ends at the first signal, as programs do.
    get signal() {
      return stopSignal();
    },
  };
  await command.run(context);
  return 0;
}

/** A signal that the first SIGINT or SIGTERM aborts. */
function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  const end = (): void => void process.kill(process.pid, 'SIGKILL');
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stopping.signal.aborted) end();
      stopping.abort();
      setTimeout(end, STOP_LIMIT_MS).unref();
    });
  }
  return stopping.signal;
}

function tell(error: unknown): number {
  if (error instanceof ConfigurationError) {
    for (const fault of error.faults) console.error(`tidegate: ${fault}`);
    return EXIT_USAGE;
  }
  if (error instanceof AppError) {
    console.error(`tidegate: ${error.message} ${error.advice}`);
    return EXIT_FAILED;
  }
  if (error instanceof Error && 'syscall' in error) {
    console.error(`tidegate: ${describeFaultOfFile(error)}. Mend that and run the command again.`);
    return EXIT_FAILED;
  }
  console.error('tidegate: something went wrong that should not:', error);
  return EXIT_FAILED;
}

/** Waits until what was printed has left: into a pipe it goes as fast as somebody reads, and an exit would cut off the rest. */
function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.on('error', () => resolve());
    stream.write('', () => resolve());
  });
}

/** What became of printing, which console.log does not say. Whoever reads may have had enough, as `head` does. */
let printFault: Error | undefined;
process.stdout.on('error', (error) => {
  if (!isSystemError(error, 'EPIPE')) printFault ??= error;
});
let exitCode = await main(process.argv.slice(2)).catch(tell);
await flush(process.stdout);
if (exitCode === 0 && printFault) exitCode = tell(printFault);
await flush(process.stderr);
process.exit(exitCode);

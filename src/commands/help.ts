/** Writes `--help` from the option table, so that help and behaviour cannot differ. */
import { environmentName, OPTION_TABLE, type OptionName, type OptionSpec } from '../config/option-table.ts';
import type { Command } from './command.ts';

/** The program's own help: its commands. */
export function programHelp(commands: readonly Command[], version: string): string {
  const width = Math.max(...commands.map((command) => command.words.join(' ').length)) + 2;
  const lines = commands.map((command) => `  ${command.words.join(' ').padEnd(width)}${command.summary}`);
  return [
    `tidegate ${version}: self-hosted raw event-data export`,
    '',
    'Usage: tidegate COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...lines,
    '',
    'tidegate COMMAND --help shows a command’s options. What configures the server can also be given in the environment.',
  ].join('\n');
}

/** The help of commands that begin with the same word. */
export function groupHelp(commands: readonly Command[]): string {
  const lines = commands.map(({ words, summary }) => `  tidegate ${words.join(' ')}\n      ${summary}`);
  return ['Usage:', ...lines].join('\n');
}

/** One command's help. */
export function commandHelp(command: Command): string {
  const usage = ['tidegate', ...command.words, '[OPTIONS]', ...(command.positionals ? [command.positionals] : [])].join(
    ' ',
  );
  return [
    `Usage: ${usage}`,
    '',
    command.summary,
    '',
    'Options:',
    ...command.options.flatMap((name) => optionHelp(name, command)),
  ].join('\n');
}

function optionHelp(name: OptionName, { required, argumentsOnly }: Command): string[] {
  const isArgumentOnly = argumentsOnly?.includes(name) ?? false;
  const spec: OptionSpec = OPTION_TABLE[name];
  const value = spec.type.kind === 'flag' ? '' : ` ${spec.placeholder ?? valueOf(spec)}`;
  const facts = [
    ...(required?.includes(name) ? ['required'] : []),
    ...(spec.unit ? [spec.unit] : []),
    ...(spec.default && !isArgumentOnly ? [`default ${spec.default}`] : []),
    (isArgumentOnly ? undefined : environmentName(name)) ?? 'command line only',
  ];
  return [`  --${name}${value}`, `      ${spec.description} [${facts.join('; ')}]`];
}

function valueOf({ type }: OptionSpec): string {
  return type.kind === 'choice' ? type.choices.join('|') : type.kind === 'integer' ? 'N' : 'VALUE';
}

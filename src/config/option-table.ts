/**
 * Every option of every command, in one table: flags, environment variables (TIDEGATE_*), `--help` and docs/configuration.md are
 * made from it.
 *
 * Only what configures the server is read from the environment, where it holds for every command. What a command is to do is said
 * on its line alone: a forgotten TIDEGATE_VISITOR must erase nobody, and a TIDEGATE_PATH narrow no rule.
 */

/** How an option's text is read. */
export type OptionType =
  | { readonly kind: 'text' }
  | { readonly kind: 'flag' }
  | { readonly kind: 'integer'; readonly min: number; readonly max: number }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'list' }
  /** Texts as they are, one for each time the option is given. */
  | { readonly kind: 'words' }
  | { readonly kind: 'instant' }
  | { readonly kind: 'url' }
  | { readonly kind: 'listen' };

export type OptionSpec = {
  readonly type: OptionType;
  readonly description: string;
  /** What stands for the value in `--help`. */
  readonly placeholder?: string;
  /** The value when nothing is given, as text; none means that the option may be absent. */
  readonly default?: string;
  /** What the number counts. */
  readonly unit?: string;
  /** The command refuses to run without it. */
  readonly isRequired?: boolean;
};

const MIB = 1024 * 1024;
const text = { kind: 'text' } as const;
const flag = { kind: 'flag' } as const;
const onOff = { kind: 'choice', choices: ['on', 'off'] } as const;
const integer = (min: number, max: number) => ({ kind: 'integer', min, max }) as const;

/** What configures the server. */
const CONFIGURATION = {
  data: {
    type: text,
    placeholder: 'DIR',
    default: './data',
    description: 'Data directory; `serve`, `project create` and `restore` make it when it is not there.',
  },
  listen: {
    type: { kind: 'listen' },
    placeholder: 'HOST:PORT',
    default: '127.0.0.1:8080',
    description: 'Address to serve on.',
  },
  'public-url': {
    type: { kind: 'url' },
    placeholder: 'URL',
    description: 'Base of the download links, as clients reach this server. Default: the Host header of the request.',
  },
  collectors: {
    type: integer(1, 64),
    default: '1',
    unit: 'processes',
    description: 'Processes that collect and answer, sharing the port. 1: the server itself.',
  },
  'package-bytes': {
    type: integer(512, 64 * MIB),
    default: String(64 * MIB),
    unit: 'bytes',
    description: 'Largest package, compressed.',
  },
  gzip: {
    type: { kind: 'choice', choices: ['auto', 'isa-l', 'zlib'] },
    default: 'auto',
    description: 'Compressor of the packages; auto takes ISA-L where libisal is installed.',
  },
  'retention-days': {
    type: integer(1, 3650),
    default: '15',
    unit: 'days',
    description: 'How long an hour can be exported after its end.',
  },
  'call-limit': {
    type: integer(0, 100_000),
    default: '10',
    unit: 'calls a second',
    description: 'Export calls of one project; more wait their turn up to 10 s. 0: no limit.',
  },
  'ingest-limit-bytes': {
    type: integer(0, 1024 * 1024 * MIB),
    default: String(64 * MIB),
    unit: 'bytes a second',
    description: 'Decoded bytes one project may send; beyond it the answer is 429. 0: no limit.',
  },
  'max-body-bytes': {
    type: integer(1024, 64 * MIB),
    default: String(8 * MIB),
    unit: 'bytes',
    description: 'Largest request body.',
  },
  'max-decoded-bytes': {
    type: integer(1024, 256 * MIB),
    default: String(64 * MIB),
    unit: 'bytes',
    description: 'Largest decoded request body.',
  },
  'max-held-bytes': {
    type: integer(MIB, 65_536 * MIB),
    default: String(256 * MIB),
    unit: 'bytes',
    description: 'Request bodies in memory at once; one project may hold a quarter of it.',
  },
  'trusted-proxies': {
    type: { kind: 'list' },
    placeholder: 'CIDR,…',
    default: '',
    description: 'Addresses or ranges of reverse proxies whose X-Forwarded-For or X-Real-IP is believed.',
  },
  'link-schemes': {
    type: { kind: 'list' },
    placeholder: 'SCHEME,…',
    default: '',
    description: 'App schemes that tracking links may lead to beside http and https.',
  },
  'segment-bytes': {
    type: integer(64 * 1024, 1024 * MIB),
    default: String(32 * MIB),
    unit: 'bytes',
    description: 'Size at which a segment of the hour log is closed and sorted.',
  },
  fsync: {
    type: { kind: 'choice', choices: ['always', 'never'] },
    default: 'always',
    description: 'always: what is acknowledged survives power loss. never: it survives a killed process only.',
  },
  'export-threads': {
    type: integer(0, 64),
    default: '0',
    unit: 'threads',
    description: 'Threads that sort and export. 0: one for each core.',
  },
  'export-attempts': {
    type: integer(1, 100),
    default: '8',
    unit: 'tries',
    description: 'Tries before the export of an hour is in ERROR.',
  },
  'log-level': {
    type: { kind: 'choice', choices: ['debug', 'info', 'warn', 'error', 'silent'] },
    default: 'info',
    description: 'Least level that is logged (JSON lines on standard error).',
  },
} as const satisfies Record<string, OptionSpec>;

/** What a command is to do, and how it says what it did. */
const COMMAND_OPTIONS = {
  json: { type: flag, description: 'Print the result as JSON.' },
  export: { type: onOff, description: "Whether the project's hours can be exported." },
  from: {
    type: { kind: 'instant' },
    placeholder: 'ISO8601',
    description: 'The change is in force from the hour that begins at or after this instant. Default: the next hour.',
  },
  'gzip-level': {
    type: integer(1, 9),
    description: 'Level of the compressor. 1 to 3: of ISA-L where it is used; 4 to 9: always of zlib.',
  },
  'extended-columns': {
    type: onOff,
    description: 'Whether the tables of ads have the columns OAID and clickUrl behind the documented ones.',
  },
  'line-breaks': {
    type: { kind: 'choice', choices: ['keep', 'blank'] },
    description: 'What becomes of line breaks inside values: kept, or each one blank.',
  },
  'legacy-export': { type: onOff, description: 'Whether packages of the 1.0 API are made with every hour.' },
  reset: {
    type: { kind: 'list' },
    placeholder: 'SETTING,…',
    default: '',
    description: "Settings that are the server's own again, such as retention-days.",
  },
  'at-once': { type: flag, description: 'Limits and proxies are in force at once, and not from the next hour.' },
  by: { type: text, placeholder: 'NAME', description: 'Who makes the change. Default: the user of this machine.' },
  file: {
    type: text,
    placeholder: 'FILE',
    description: 'Rejected events as they were downloaded, edited, in the place of those of an hour.',
  },

  name: { type: text, placeholder: 'NAME', description: 'Name of the project, rule or link.' },
  'export-from': {
    type: { kind: 'instant' },
    placeholder: 'ISO8601',
    description: 'Hours that end after this instant can be exported. Default: now.',
  },
  ai: { type: text, placeholder: 'AI', description: 'Public id of the project.' },
  uid: { type: text, placeholder: 'UID', description: 'Eight letters and digits, called project in the token call.' },
  'client-id': { type: text, placeholder: 'KEY', description: 'Public key, sent as X-Client-Id.' },
  hour: { type: text, placeholder: 'yyyyMMddHH', description: 'Hour in Beijing time.' },
  rule: { type: text, placeholder: 'RULEID', description: 'Id of a tagging rule, 8 hex digits.' },
  type: {
    type: { kind: 'choice', choices: ['page', 'clck', 'chng', 'sbmt'] },
    description: 'What a rule is for: a page, or the actions of an event type.',
  },
  domain: { type: text, placeholder: 'DOMAIN', description: 'Condition of a rule: the whole domain.' },
  path: {
    type: text,
    placeholder: 'PATH',
    description: 'Condition of a rule: the whole path; `*` stands for any text.',
  },
  query: {
    type: text,
    placeholder: 'QUERY',
    description: 'Condition of a rule: parts such as `a=1&b=2`, each of which must be one of the query.',
  },
  xpath: {
    type: text,
    placeholder: 'XPATH',
    description: 'Condition of a rule: the whole xpath of the element; `*` stands for any text.',
  },
  index: {
    type: integer(0, 2 ** 31 - 1),
    description: 'Condition of a rule: the place of the element in its list.',
  },
  value: { type: text, placeholder: 'TEXT', description: 'Condition of a rule: the whole text of the element.' },
  href: { type: text, placeholder: 'HREF', description: 'Condition of a rule: the whole target of the link.' },
  clear: {
    type: { kind: 'list' },
    placeholder: 'CONDITION,…',
    default: '',
    description: 'Conditions that a rule is not to have any more.',
  },
  'from-hour': { type: text, placeholder: 'yyyyMMddHH', description: 'The first hour, in Beijing time.' },
  'until-hour': {
    type: text,
    placeholder: 'yyyyMMddHH',
    description: 'The hour before which to end, in Beijing time.',
  },
  wait: { type: flag, description: 'Return when it is done, or has failed again. Needs a running server.' },
  manifest: {
    type: { kind: 'list' },
    placeholder: 'FILE,…',
    default: '',
    description:
      "Manifests, each an answer of the API's manifest call saved as it came. Files may also follow as words.",
  },
  'public-key': {
    type: text,
    placeholder: 'FILE',
    description: "The server's /.well-known/tidegate.json saved as it came, or its public key in PEM.",
  },
  target: { type: text, placeholder: 'URL', description: 'Where the link sends a click on to.' },
  campaign: {
    type: text,
    placeholder: 'NAME',
    description: "The link's campaign; made when there is none of this name.",
  },
  channel: {
    type: text,
    placeholder: 'NAME',
    description: "The link's channel; made when there is none of this name.",
  },
  variable: {
    type: { kind: 'words' },
    placeholder: 'K=V',
    default: '',
    description: "One of the link's own variables, exported as adsVariable. May be given several times.",
  },
  link: { type: text, placeholder: 'LINKID', description: 'Eight letters and digits, as `link list` shows them.' },
  visitor: {
    type: { kind: 'words' },
    placeholder: 'ID',
    description: 'A visitUserId, exactly; may be given several times, and more may follow as words.',
  },
  receipt: { type: text, placeholder: 'ID', description: 'The receiptId of an erasure. Default: all of the project.' },
  'secret-file': {
    type: text,
    placeholder: 'FILE',
    description: 'File whose first line is the secret; keeps it out of the shell history.',
  },
} as const satisfies Record<string, OptionSpec>;

/** The options by their long name. A command may make one of them required. */
export const OPTION_TABLE = { ...CONFIGURATION, ...COMMAND_OPTIONS };

export type OptionName = keyof typeof OPTION_TABLE;

/** The environment variable of an option, such as TIDEGATE_PUBLIC_URL; none for an option of the command line alone. */
export function environmentName(option: OptionName): string | undefined {
  return option in CONFIGURATION ? `TIDEGATE_${option.toUpperCase().replaceAll('-', '_')}` : undefined;
}

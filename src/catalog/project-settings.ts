/**
 * The settings of a project: their names, what each may be, and when a change of it is in force (docs/settings.md).
 *
 * A setting that a project does not have is the server's own option, or what is said here.
 */

/** All settings with values that fit. */
export type SettingValues = {
  /** Whether hours can be exported. */
  readonly export: boolean;
  readonly retentionDays: number;
  /** Largest package, compressed. */
  readonly packageBytes: number;
  /** gzip's own levels, 1 to 9. */
  readonly gzipLevel: number;
  /** Whether the tables of ads have the columns that the documents added later. */
  readonly extendedColumns: boolean;
  /** `blank`: a line break inside a value is exported as one blank. */
  readonly lineBreaks: LineBreaks;
  /** Whether packages of the 1.0 API are made with every hour, and not when they are first asked for. */
  readonly legacyExport: boolean;
  /** Decoded bytes a second that may come in; 0: no limit. */
  readonly ingestLimitBytes: number;
  /** Export calls a second; 0: no limit. */
  readonly callLimit: number;
  /** Addresses or ranges of reverse proxies that are believed. */
  readonly trustedProxies: readonly string[];
};

export type LineBreaks = 'keep' | 'blank';

export type SettingName = keyof SettingValues;

/** What holds where a project has no setting: the options of the server. */
export type SettingDefaults = Pick<
  SettingValues,
  'retentionDays' | 'packageBytes' | 'ingestLimitBytes' | 'callLimit' | 'trustedProxies'
>;

/** What holds where a project has no setting and the server no option. */
export const FIXED_DEFAULTS = {
  export: true, // from the project's exportEnabledAt on
  gzipLevel: 1,
  extendedColumns: false,
  lineBreaks: 'keep',
  legacyExport: false,
} as const satisfies Omit<SettingValues, keyof SettingDefaults>;

/** What decides the bytes of an hour's packages. */
export type PackageSettings = Pick<SettingValues, 'packageBytes' | 'gzipLevel' | 'extendedColumns' | 'lineBreaks'>;

const MIB = 1024 * 1024;

type Rule = {
  /** What a value must be, as the end of a sentence. */
  readonly form: string;
  readonly fits: (value: unknown) => boolean;
  /** Whether it may also be changed at once: only what is no property of an exported hour. */
  readonly mayChangeAtOnce: boolean;
};

const onOff: Rule = { form: 'true or false', fits: (value) => typeof value === 'boolean', mayChangeAtOnce: false };

function integer(min: number, max: number, mayChangeAtOnce = false): Rule {
  const fits = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
  return { form: `a whole number from ${min} to ${max}`, fits, mayChangeAtOnce };
}

export const SETTING_RULES: Readonly<Record<SettingName, Rule>> = {
  export: onOff,
  retentionDays: integer(1, 3650),
  packageBytes: integer(512, 64 * MIB),
  gzipLevel: integer(1, 9),
  extendedColumns: onOff,
  lineBreaks: { form: 'keep or blank', fits: (value) => value === 'keep' || value === 'blank', mayChangeAtOnce: false },
  legacyExport: onOff,
  ingestLimitBytes: integer(0, 1024 * 1024 * MIB, true),
  callLimit: integer(0, 100_000, true),
  trustedProxies: {
    form: 'a list of addresses or ranges',
    fits: (value) => Array.isArray(value) && value.every((range) => typeof range === 'string'),
    mayChangeAtOnce: true,
  },
};

/** The names, in the order in which they are shown. */
export const SETTING_NAMES = Object.keys(SETTING_RULES) as readonly SettingName[];

export function isSettingName(text: string): text is SettingName {
  return Object.hasOwn(SETTING_RULES, text);
}

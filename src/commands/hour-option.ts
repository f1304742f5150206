/** Reads options that name an hour. */
import type { OptionName } from '../config/option-table.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { ConfigurationError } from '../errors/app-error.ts';
import { parseBeijingHour, type Hour } from '../events/hour.ts';

/** Reads --hour, yyyyMMddHH in Beijing time. @throws ConfigurationError */
export function hourOption(options: OptionValues): Hour {
  return parseHour('hour', options.text('hour'));
}

/** Reads an hour that may be absent. @throws ConfigurationError */
export function optionalHourOption(options: OptionValues, name: OptionName): Hour | undefined {
  const text = options.optionalText(name);
  return text === undefined ? undefined : parseHour(name, text);
}

function parseHour(name: OptionName, text: string): Hour {
  const hour = parseBeijingHour(text);
  if (hour === undefined) {
    throw new ConfigurationError([
      `--${name}: "${text}" is no hour such as 2026112407 (yyyyMMddHH in Beijing time, HH from 00 to 23).`,
    ]);
  }
  return hour;
}

/** Reads the option --hour. */
import type { OptionValues } from '../config/parse-options.ts';
import { ConfigurationError } from '../errors/app-error.ts';
import { parseBeijingHour, type Hour } from '../events/hour.ts';

/** Reads --hour, yyyyMMddHH in Beijing time. @throws ConfigurationError */
export function hourOption(options: OptionValues): Hour {
  const text = options.text('hour');
  const hour = parseBeijingHour(text);
  if (hour === undefined) {
    throw new ConfigurationError([
      `--hour: "${text}" is no hour such as 2026112407 (yyyyMMddHH in Beijing time, HH from 00 to 23).`,
    ]);
  }
  return hour;
}

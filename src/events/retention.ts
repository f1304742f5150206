/** Which hours are kept: the one rule that the API, the exporter's clean-up and the import share. */
import { beijingDayOf, HOUR_MS, hourOf, HOURS_PER_DAY, type Hour } from './hour.ts';

/**
 * Gives the first hour that is kept at this instant; every hour before it is past retention.
 *
 * An hour is kept for `retentionDays` from its end, and a Beijing day leaves as a whole, with its last hour: a day export is
 * never half there.
 */
export function retainedFrom(nowMs: number, retentionDays: number): Hour {
  return beijingDayOf(hourOf(nowMs - retentionDays * HOURS_PER_DAY * HOUR_MS)).from;
}

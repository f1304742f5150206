/**
 * Decides what an export call is told: the table of docs/api.md, as a pure function of the clock, the project and its tasks.
 *
 * The rules, in this order: what has not ended, ended before export was enabled, or is past retention does not exist; one hour
 * that failed for good makes the whole an ERROR; one that is not published yet makes it RUNNING; the rest is FINISHED. An hour that
 * has ended and has no task yet is RUNNING, because its task is made within a minute. Hours before enabling give nothing to a day.
 */
import type { ExportTask } from '../catalog/catalog.ts';
import {
  formatBeijingHour,
  formatRequestTime,
  hourEndMs,
  hourOf,
  addHours,
  type ExportDate,
  type Hour,
  type HourRange,
} from '../events/hour.ts';

export const EXPORT_STATUSES = ['FINISHED', 'RUNNING', 'NOT_EXISTS', 'ERROR'] as const;

export type ExportStatus = (typeof EXPORT_STATUSES)[number];

/** What to answer. `hours` are those whose packages to list. */
export type ExportState =
  | { readonly status: 'FINISHED'; readonly hours: HourRange }
  | {
      readonly status: 'RUNNING' | 'NOT_EXISTS' | 'ERROR';
      /** Why, in one sentence for the caller. */
      readonly errorMsg: string;
      /** When to ask again; absent when asking again is no use. */
      readonly retryAfterSeconds?: number;
    };

export type ExportFacts = {
  readonly date: ExportDate;
  readonly nowMs: number;
  readonly exportEnabledAtMs: number;
  /** The first hour that is kept. */
  readonly retainedFrom: Hour;
  /** The project's tasks in the range of the date. */
  readonly tasks: readonly ExportTask[];
};

/** An hour is published within a minute of its end. */
const PUBLISHING_SECONDS = 60;
const RUNNING_RETRY_SECONDS = 15;
/** The longest that a client which reads Retry-After into 32 bits can wait. */
const MAX_RETRY_SECONDS = 2 ** 31 - 1;

/** Decides the status of an hour or a day. */
export function decideExport(facts: ExportFacts): ExportState {
  const { date, nowMs, exportEnabledAtMs, retainedFrom, tasks } = facts;
  const { from, until } = date.hours;
  const what = `${date.exportType === 'hour' ? 'Hour' : 'Day'} ${date.echo} (Beijing time)`;
  const endMs = hourEndMs(addHours(until, -1));
  if (endMs > nowMs) {
    return {
      status: 'NOT_EXISTS',
      errorMsg: `${what} has not ended yet; it can be exported when it has.`,
      retryAfterSeconds: Math.min(Math.ceil((endMs - nowMs) / 1000) + PUBLISHING_SECONDS, MAX_RETRY_SECONDS),
    };
  }
  if (endMs <= exportEnabledAtMs) {
    const enabledAt = formatRequestTime(exportEnabledAtMs);
    return { status: 'NOT_EXISTS', errorMsg: `${what} ended before export was enabled at ${enabledAt} UTC.` };
  }
  if (from < retainedFrom) {
    const first = formatBeijingHour(retainedFrom);
    return { status: 'NOT_EXISTS', errorMsg: `${what} is past retention; the first hour still kept is ${first}.` };
  }
  const firstExisting = hourOf(exportEnabledAtMs); // its end is the first one after the enabling
  return decideEnded({ from: from < firstExisting ? firstExisting : from, until }, what, tasks);
}

function decideEnded(hours: HourRange, what: string, tasks: readonly ExportTask[]): ExportState {
  const relevant = tasks.filter((task) => task.hour >= hours.from && task.hour < hours.until);
  const failed = relevant.filter((task) => task.status === 'failed');
  if (failed.length > 0) return { status: 'ERROR', errorMsg: failureSentence(failed) };
  const missing = hours.until - hours.from - relevant.filter((task) => task.status === 'finished').length;
  if (missing === 0) return { status: 'FINISHED', hours };
  const progress = missing === 1 ? 'is being made' : `is being made: ${missing} hours are not published yet`;
  return {
    status: 'RUNNING',
    errorMsg: `${what} has ended and its export ${progress}.`,
    retryAfterSeconds: RUNNING_RETRY_SECONDS,
  };
}

function failureSentence(failed: readonly ExportTask[]): string {
  const hours = failed.map((task) => formatBeijingHour(task.hour)).join(', ');
  const reason = failed.find((task) => task.error !== null)?.error ?? 'no reason was recorded.';
  return `The export of ${failed.length === 1 ? 'hour' : 'hours'} ${hours} (Beijing time) failed for good: ${reason}`;
}

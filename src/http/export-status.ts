/**
 * Decides what an export call is told: the table of docs/api.md, as a pure function of the clock, the project and its tasks.
 *
 * The rules, in this order: what has not ended, ended while export was not enabled, or is past retention does not exist; one hour
 * that failed for good makes the whole an ERROR; one that is not published yet makes it RUNNING; the rest is FINISHED. An hour that
 * has ended and has no task yet is RUNNING, because its task is made within a minute. Hours in which export was not enabled give
 * nothing to a day.
 */
import type { ExportTask } from '../catalog/catalog.ts';
import type { SettingTimeline } from '../catalog/setting-timeline.ts';
import {
  formatBeijingHour,
  formatRequestTime,
  hourEndMs,
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
  /** The project's settings; they say which hours can be exported. */
  readonly settings: Pick<SettingTimeline, 'exportEnabledAtMs' | 'exportedRanges'>;
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
  const { date, nowMs, settings, retainedFrom, tasks } = facts;
  const { from, until } = date.hours;
  const what = `${date.exportType === 'hour' ? 'Hour' : 'Day'} ${date.echo} (Beijing time)`;
  const endMs = hourEndMs(addHours(until, -1));
  const exported = settings.exportedRanges(date.hours);
  if (endMs > nowMs && exported.length === 0)
    return { status: 'NOT_EXISTS', errorMsg: `${what} has not ended yet, and export is not enabled for it.` };
  if (endMs > nowMs) {
    return {
      status: 'NOT_EXISTS',
      errorMsg: `${what} has not ended yet; it can be exported when it has.`,
      retryAfterSeconds: Math.min(Math.ceil((endMs - nowMs) / 1000) + PUBLISHING_SECONDS, MAX_RETRY_SECONDS),
    };
  }
  if (exported.length === 0)
    return { status: 'NOT_EXISTS', errorMsg: `${what} ended ${whenNotEnabled(settings, endMs)}.` };
  if (from < retainedFrom) {
    const first = formatBeijingHour(retainedFrom);
    return { status: 'NOT_EXISTS', errorMsg: `${what} is past retention; the first hour still kept is ${first}.` };
  }
  return decideEnded(exported, what, tasks);
}

function whenNotEnabled({ exportEnabledAtMs }: ExportFacts['settings'], endMs: number): string {
  return endMs <= exportEnabledAtMs
    ? `before export was enabled at ${formatRequestTime(exportEnabledAtMs)} UTC`
    : 'while export was disabled for the project';
}

function decideEnded(exported: readonly HourRange[], what: string, tasks: readonly ExportTask[]): ExportState {
  const isExported = (hour: Hour): boolean => exported.some(({ from, until }) => hour >= from && hour < until);
  const relevant = tasks.filter((task) => isExported(task.hour));
  const failed = relevant.filter((task) => task.status === 'failed');
  if (failed.length > 0) return { status: 'ERROR', errorMsg: failureSentence(failed) };
  const existing = exported.reduce((hours, { from, until }) => hours + until - from, 0);
  const missing = existing - relevant.filter((task) => task.status === 'finished').length;
  if (missing === 0) return { status: 'FINISHED', hours: { from: exported[0]!.from, until: exported.at(-1)!.until } };
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

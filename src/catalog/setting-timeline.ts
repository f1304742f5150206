/**
 * The settings of one project over time: what was, is and will be in force in each hour.
 *
 * Changes are only ever added, and never for an hour that has begun (but for limits and proxies, changed at once), so what holds
 * for an ended hour is the same whenever and by whichever process it is asked. Of the changes of a setting the one with the latest
 * first hour up to the asked hour counts, of several for the same hour the one made last: a planned change stays planned when
 * another is made before it.
 *
 * Export has one change more, which the project was made with: off before exportEnabledAt, on from the hour that it lies in.
 */
import { addHours, hourFromInteger, hourOf, type Hour, type HourRange } from '../events/hour.ts';
import { retainedFrom } from '../events/retention.ts';
import {
  FIXED_DEFAULTS,
  SETTING_NAMES,
  type PackageSettings,
  type SettingDefaults,
  type SettingName,
  type SettingValues,
} from './project-settings.ts';

/** One recorded change of a setting. */
export type SettingChange<Name extends SettingName = SettingName> = {
  readonly setting: Name;
  /** Null: the server's own option again. */
  readonly value: SettingValues[Name] | null;
  /** The first hour in which it is in force. */
  readonly fromHour: Hour;
  readonly changedAtMs: number;
  readonly changedBy: string;
};

export type SettingTimelineOptions = {
  /** Hours that end after this instant can be exported, until a change says otherwise. */
  readonly exportEnabledAtMs: number;
  /** In the order of making. */
  readonly changes: readonly SettingChange[];
  /** Retention has deleted the hours before this one. */
  readonly deletedBefore: Hour;
};

const FIRST_HOUR = hourFromInteger(0);

export class SettingTimeline {
  readonly exportEnabledAtMs: number;
  readonly #deletedBefore: Hour;
  /** By setting, in order of the hours from which they are in force. */
  readonly #changes = new Map<SettingName, readonly SettingChange[]>();

  constructor({ exportEnabledAtMs, changes, deletedBefore }: SettingTimelineOptions) {
    this.exportEnabledAtMs = exportEnabledAtMs;
    this.#deletedBefore = deletedBefore;
    for (const name of SETTING_NAMES) {
      const ofSetting = changes.filter(({ setting }) => setting === name);
      if (ofSetting.length > 0)
        this.#changes.set(
          name,
          ofSetting.sort((a, b) => a.fromHour - b.fromHour),
        ); // stable
    }
  }

  /** Gives the project's own value of a setting in an hour; undefined where it has none. */
  find<Name extends Exclude<SettingName, 'export'>>(name: Name, hour: Hour): SettingValues[Name] | undefined {
    const changes = this.#changes.get(name) as readonly SettingChange<Name>[] | undefined;
    const inForce = changes?.findLast(({ fromHour }) => fromHour <= hour);
    return inForce?.value ?? undefined;
  }

  /** Says whether an hour can be exported, as far as the settings decide. */
  isExported(hour: Hour): boolean {
    const changed = this.#changes.get('export')?.findLast(({ fromHour }) => fromHour <= hour);
    const enabledHour = hourOf(this.exportEnabledAtMs);
    const isChanged = changed && (changed.fromHour >= enabledHour || hour < enabledHour) && changed.value !== null;
    return isChanged ? changed.value === true : hour >= enabledHour;
  }

  /** Gives the parts of a range whose hours can be exported, in order. */
  exportedRanges({ from, until }: HourRange): readonly HourRange[] {
    const turns = [
      hourOf(this.exportEnabledAtMs),
      ...(this.#changes.get('export') ?? []).map(({ fromHour }) => fromHour),
    ];
    const starts = [from, ...turns.filter((hour) => hour > from && hour < until).sort((a, b) => a - b)];
    const ranges: { from: Hour; until: Hour }[] = [];
    for (const [place, start] of starts.entries()) {
      const end = starts[place + 1] ?? until;
      if (end <= start || !this.isExported(start)) continue;
      const last = ranges.at(-1);
      if (last?.until === start) last.until = end;
      else ranges.push({ from: start, until: end });
    }
    return ranges;
  }

  /** Gives the first hour that is kept at this instant: by the retention in force now, and by what was deleted before. */
  keptFrom(nowMs: number, defaultDays: number): Hour {
    const kept = retainedFrom(nowMs, this.retentionDays(nowMs, defaultDays));
    return kept > this.#deletedBefore ? kept : this.#deletedBefore;
  }

  /** Gives the retention in force at this instant. */
  retentionDays(nowMs: number, defaultDays: number): number {
    return this.find('retentionDays', hourOf(nowMs)) ?? defaultDays;
  }

  /** Gives what the packages of an hour are made with. */
  packageSettings(hour: Hour, defaults: Pick<SettingDefaults, 'packageBytes'>): PackageSettings {
    return {
      packageBytes: this.find('packageBytes', hour) ?? defaults.packageBytes,
      gzipLevel: this.find('gzipLevel', hour) ?? FIXED_DEFAULTS.gzipLevel,
      extendedColumns: this.find('extendedColumns', hour) ?? FIXED_DEFAULTS.extendedColumns,
      lineBreaks: this.find('lineBreaks', hour) ?? FIXED_DEFAULTS.lineBreaks,
    };
  }

  /** Gives all settings as they are in force in an hour. */
  settingsAt(hour: Hour, defaults: SettingDefaults): SettingValues {
    return {
      export: this.isExported(hour),
      retentionDays: this.find('retentionDays', hour) ?? defaults.retentionDays,
      ...this.packageSettings(hour, defaults),
      legacyExport: this.find('legacyExport', hour) ?? FIXED_DEFAULTS.legacyExport,
      ingestLimitBytes: this.find('ingestLimitBytes', hour) ?? defaults.ingestLimitBytes,
      callLimit: this.find('callLimit', hour) ?? defaults.callLimit,
      trustedProxies: this.find('trustedProxies', hour) ?? defaults.trustedProxies,
    };
  }

  /** Lists the changes that will be in force only after this hour, in that order; not those that another for the same hour takes back. */
  plannedAfter(hour: Hour): readonly SettingChange[] {
    const planned = [...this.#changes.values()].flatMap((changes) =>
      changes.filter(({ fromHour }, place) => fromHour > hour && changes[place + 1]?.fromHour !== fromHour),
    );
    return planned.sort((a, b) => a.fromHour - b.fromHour);
  }
}

/** What a project without changes has. */
export function unchangedTimeline(exportEnabledAtMs: number): SettingTimeline {
  return new SettingTimeline({ exportEnabledAtMs, changes: [], deletedBefore: FIRST_HOUR });
}

/** Gives the first hour for which a change made at this instant can hold: the next one. */
export function nextHourAfter(nowMs: number): Hour {
  return addHours(hourOf(nowMs), 1);
}

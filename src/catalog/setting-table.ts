/**
 * The changes of projects' settings, and how far retention has deleted each project. Written by the CLI and the retention sweep, read
 * by every part of a running server: through the project cache, so that a change is in force when the command returns.
 */
import { AppError } from '../errors/app-error.ts';
import { hourFromInteger, type Hour } from '../events/hour.ts';
import type { CatalogDatabase } from './catalog-database.ts';
import type { ProjectSettingRow } from './catalog-schema.ts';
import type { SettingTable } from './catalog.ts';
import type { ProjectCache } from './project-cache.ts';
import { isSettingName, SETTING_RULES, type SettingName } from './project-settings.ts';
import { markProjectsChanged } from './project-table.ts';
import { unchangedTimeline, type SettingChange, type SettingTimeline } from './setting-timeline.ts';

type Change = Parameters<SettingTable['change']>[1];

/** The columns of a change; what `settingChangeOf` reads. */
export const SETTING_COLUMNS = [
  'project_setting.ai',
  'project_setting.setting',
  'project_setting.value',
  'project_setting.from_hour',
  'project_setting.changed_at_ms',
  'project_setting.changed_by',
] as const;

/** The setting table of a SQL catalog. */
export class SqlSettingTable implements SettingTable {
  readonly #database: CatalogDatabase;
  readonly #cache: ProjectCache;

  constructor(database: CatalogDatabase, cache: ProjectCache) {
    this.#database = database;
    this.#cache = cache;
  }

  of(ai: string): SettingTimeline {
    return this.#cache.findSettings(ai) ?? unchangedTimeline(Infinity);
  }

  known(ai: string): SettingTimeline {
    return this.#cache.knownSettings(ai) ?? unchangedTimeline(Infinity);
  }

  async change(ai: string, { values, fromHour, nowMs, by }: Change): Promise<void> {
    const rows = Object.entries(values).map(([setting, value]) => ({
      ai,
      setting,
      value: value === null ? null : JSON.stringify(value),
      from_hour: fromHour,
      changed_at_ms: nowMs,
      changed_by: by,
    }));
    refuseMisfits(values);
    if (rows.length === 0) return;
    await this.#database.write(async (transaction) => {
      const project = await transaction.selectFrom('project').select('ai').where('ai', '=', ai).executeTakeFirst();
      if (!project) throw new AppError('unknown_project', `There is no project ${ai}.`);
      await transaction.insertInto('project_setting').values(rows).execute();
      await markProjectsChanged(transaction);
    });
  }

  async history(ai: string): Promise<readonly SettingChange[]> {
    const rows = await this.#database.reader
      .selectFrom('project_setting')
      .select(SETTING_COLUMNS)
      .where('ai', '=', ai)
      .orderBy('id')
      .execute();
    return rows.flatMap(settingChangeOf);
  }

  async markDeletedBefore(ai: string, hour: Hour): Promise<void> {
    await this.#database.write(async (transaction) => {
      const result = await transaction
        .insertInto('project_retention')
        .values({ ai, deleted_before: hour })
        .onConflict((conflict) =>
          conflict
            .column('ai')
            .doUpdateSet({ deleted_before: hour })
            .where('project_retention.deleted_before', '<', hour),
        )
        .executeTakeFirst();
      if ((result.numInsertedOrUpdatedRows ?? 0n) > 0n) await markProjectsChanged(transaction);
    });
  }
}

/** Reads a change from its columns; none when a newer program knows a setting that this one does not. */
export function settingChangeOf(row: Omit<ProjectSettingRow, 'id'>): SettingChange[] {
  if (!isSettingName(row.setting)) return [];
  return [
    {
      setting: row.setting,
      value: row.value === null ? null : (JSON.parse(row.value) as SettingChange['value']),
      fromHour: hourFromInteger(row.from_hour),
      changedAtMs: row.changed_at_ms,
      changedBy: row.changed_by,
    },
  ];
}

function refuseMisfits(values: Change['values']): void {
  for (const [setting, value] of Object.entries(values) as [SettingName, unknown][]) {
    const rule = SETTING_RULES[setting];
    if (value !== null && !rule.fits(value))
      throw new AppError('bad_request', `The setting ${setting} must be ${rule.form}.`);
  }
}

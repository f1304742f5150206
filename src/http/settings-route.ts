/**
 * `GET /api/v1/projects/{ai}/settings`: what is in force for a project now, and what is planned.
 *
 * Read only. A project's token belongs to whoever exports its data; what the server keeps, lets in and deletes is the operator's, who
 * has the command line (docs/settings.md). So a token that has leaked can delete nothing and switch nothing off.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Catalog } from '../catalog/catalog.ts';
import { SETTING_NAMES, type SettingDefaults } from '../catalog/project-settings.ts';
import { formatBeijingHour, hourOf } from '../events/hour.ts';
import type { Clock } from '../lib/clock.ts';
import { addProjectOperation, type Operation } from './api-operation.ts';
import { ErrorBody } from './error-body.ts';
import { UnauthorizedBody } from './project-access.ts';

export type SettingsRouteOptions = {
  readonly catalog: Pick<Catalog, 'tokens' | 'settings'>;
  readonly clock: Clock;
  readonly settingDefaults: SettingDefaults;
};

const Params = Type.Object(
  { ai: Type.String({ pattern: '^[0-9A-Za-z-]{1,64}$', description: 'Public id of the project.' }) },
  { additionalProperties: false },
);

const hour = (description: string) => Type.String({ description: `${description}, yyyyMMddHH in Beijing time.` });

const Values = Type.Object(
  {
    export: Type.Boolean({ description: 'Whether the hour can be exported.' }),
    retentionDays: Type.Integer({ description: 'How many days an hour is kept after its end.' }),
    packageBytes: Type.Integer({ description: 'Largest package, compressed.' }),
    gzipLevel: Type.Integer({ description: 'Level of the compressor, 1 to 9.' }),
    extendedColumns: Type.Boolean({ description: 'Whether the tables of ads have OAID and clickUrl.' }),
    lineBreaks: Type.Enum(['keep', 'blank'], { description: 'What becomes of line breaks inside values.' }),
    legacyExport: Type.Boolean({ description: 'Whether packages of the 1.0 API are made with every hour.' }),
    ingestLimitBytes: Type.Integer({ description: 'Decoded bytes a second that may come in; 0: no limit.' }),
    callLimit: Type.Integer({ description: 'Export calls a second; 0: no limit.' }),
    trustedProxies: Type.Array(Type.String(), { description: 'Reverse proxies that are believed.' }),
  },
  { description: 'All settings as they are in force, those of the server where the project has none.' },
);

const Settings = Type.Object({
  hour: hour('The hour that is open now'),
  settings: Values,
  planned: Type.Array(
    Type.Object({
      setting: Type.Enum([...SETTING_NAMES], { description: 'Its name.' }),
      value: Type.Unknown({ description: "Its value then; null: the server's own." }),
      fromHour: hour('The first hour in which it is in force'),
    }),
    { description: 'Changes of later hours, in their order.' },
  ),
});

export const READ_SETTINGS: Operation = {
  id: 'readSettings',
  path: '/api/v1/projects/{ai}/settings',
  summary: 'Reads the settings of a project: those in force now, and changes that are planned.',
  access: 'project',
  params: Params,
  responses: { 200: Settings, 400: ErrorBody, 401: UnauthorizedBody },
};

/** Adds the call that reads a project's settings. */
export function addSettingsRoute(app: FastifyInstance, options: SettingsRouteOptions): void {
  const { catalog, clock, settingDefaults } = options;
  addProjectOperation(app, READ_SETTINGS, options, ({ ai }, _request, reply) => {
    const now = hourOf(clock.nowMs());
    const timeline = catalog.settings.of(ai);
    const { trustedProxies, ...settings } = timeline.settingsAt(now, settingDefaults);
    const body: Static<typeof Settings> = {
      hour: formatBeijingHour(now),
      settings: { ...settings, trustedProxies: [...trustedProxies] },
      planned: timeline.plannedAfter(now).map(({ setting, value, fromHour }) => ({
        setting,
        value,
        fromHour: formatBeijingHour(fromHour),
      })),
    };
    return Promise.resolve(reply.send(body)) as Promise<FastifyReply>;
  });
}

/**
 * The answer of an export call, in the form and the order of the API document.
 *
 * Its one shape serves every outcome, because old scripts read `status` and `downloadLinks` and no HTTP status.
 */
import { Type, type Static } from 'typebox';
import { DATA_TYPES, type DataType } from '../events/data-types.ts';
import { formatRequestTime } from '../events/hour.ts';
import { EXPORT_STATUSES, type ExportStatus } from './export-status.ts';

const links = Type.Array(Type.String(), { description: 'Links to the packages, in order of hour and part.' });

const status = Type.Enum([...EXPORT_STATUSES], { description: 'FINISHED: the links can be downloaded.' });

const exportDate = Type.String({
  description: 'The asked hour or day in Beijing time, cut to yyyyMMddHH or yyyyMMdd.',
});

const tail = {
  exportVersion: Type.Literal('v2', { description: 'Version of the exported columns.' }),
  requestTime: Type.String({ description: 'When the server took the request, yyyy-MM-dd HH:mm in UTC.' }),
  errorMsg: Type.String({ description: 'Why there are no links, in one sentence; empty when FINISHED.' }),
};

/** What a call for one data type gets. */
export const TypeEnvelope = Type.Object({
  status,
  downloadLinks: links,
  exportType: Type.String({ description: 'hour or day, as asked.' }),
  dataType: Type.String({ description: 'The data type, as asked.' }),
  exportDate,
  ...tail,
});

/** What a call for all data types gets. */
export const AllTypesEnvelope = Type.Object({
  status,
  downloadLinks: Type.Object(Object.fromEntries(DATA_TYPES.map((dataType) => [dataType, links]))),
  exportType: Type.String({ description: 'hour or day, as asked.' }),
  exportDate,
  ...tail,
});

export type TypeEnvelope = Static<typeof TypeEnvelope>;
export type AllTypesEnvelope = Static<typeof AllTypesEnvelope>;

export type EnvelopeFacts = {
  readonly status: ExportStatus;
  readonly errorMsg: string;
  readonly exportType: string;
  /** Absent when all types were asked for. */
  readonly dataType?: string | undefined;
  readonly exportDate: string;
  readonly requestedAtMs: number;
  readonly links: readonly { readonly dataType: DataType; readonly link: string }[];
};

/** Builds the envelope; `links` must be of the asked data type when there is one. */
export function buildEnvelope(facts: EnvelopeFacts): TypeEnvelope | AllTypesEnvelope {
  const { exportType, dataType, exportDate } = facts;
  const end = {
    exportVersion: 'v2',
    requestTime: formatRequestTime(facts.requestedAtMs),
    errorMsg: facts.errorMsg,
  } as const;
  if (dataType !== undefined) {
    const downloadLinks = facts.links.map(({ link }) => link);
    return { status: facts.status, downloadLinks, exportType, dataType, exportDate, ...end };
  }
  const downloadLinks: Record<string, string[]> = Object.fromEntries(DATA_TYPES.map((type) => [type, []]));
  for (const { dataType: type, link } of facts.links) downloadLinks[type]!.push(link);
  return { status: facts.status, downloadLinks, exportType, exportDate, ...end };
}

/**
 * What the wire's event types (`t`) become, and the names under which the ledger counts them.
 */
import { DATA_TYPES, type DataType } from './data-types.ts';

const DATA_TYPE_OF: ReadonlyMap<string, DataType> = new Map<string, DataType>([
  ['vst', 'visit'],
  ['page', 'page'],
  ['clck', 'action'],
  ['chng', 'action'],
  ['sbmt', 'action'],
  ['cstm', 'custom_event'],
  ['pvar', 'pvar'],
  ['evar', 'evar'],
  ['vstr', 'vstr'],
  ['activate', 'ads_track_activation'],
]);

/** Event types that SDKs send and the export never held. `other` stands for those we do not know. */
export const IGNORED_TYPES = [
  'imp',
  'ppl',
  'cls',
  'reengage',
  'lngprss',
  'lngclck',
  'dbclck',
  'tchd',
  'other',
] as const;
export type IgnoredType = (typeof IGNORED_TYPES)[number];

/**
 * Under what name the ledger counts an event: its data type, its ignored type, or `unknown` where `t` cannot be read. `import`
 * counts once more, beside the others, the events that came by import, and `replay` those that had been rejected before.
 */
export type LedgerLine = DataType | IgnoredType | 'unknown' | 'import' | 'replay';

/** The ledger lines' codes on disk; never changed. Data types keep the code of their place, ignored types begin at 32. */
export const LEDGER_CODES: ReadonlyMap<LedgerLine, number> = new Map<LedgerLine, number>([
  ['unknown', 0],
  ...DATA_TYPES.map((dataType, place): [LedgerLine, number] => [dataType, place + 1]),
  ...IGNORED_TYPES.map((ignored, place): [LedgerLine, number] => [ignored, place + 32]),
  ['import', 64],
  ['replay', 65],
]);

/** Finds the data type that an event of this type makes rows of; undefined when it makes none. */
export function dataTypeOf(type: string): DataType | undefined {
  return DATA_TYPE_OF.get(type);
}

/** Finds the ledger line of one element of a request. */
export function ledgerLineOf(element: unknown): LedgerLine {
  if (typeof element !== 'object' || element === null || !('t' in element)) return 'unknown';
  const type = element.t;
  if (typeof type !== 'string' || type === '') return 'unknown';
  return dataTypeOf(type) ?? IGNORED_TYPES.find((ignored) => ignored === type) ?? 'other';
}

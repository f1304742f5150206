/**
 * The rows that the peers store: the columns of `action`, taken from an event with as little work as can be.
 *
 * In the peers' favour: no checks, no widths, no ids (the last two columns stay empty), no ledger, no duplicates.
 */

export type ActionRow = readonly (string | number | null)[];

export const ACTION_COLUMNS = [
  { name: 'visitUserId', isNumber: false },
  { name: 'sessionId', isNumber: false },
  { name: 'requestType', isNumber: false },
  { name: 'domain', isNumber: false },
  { name: 'page', isNumber: false },
  { name: 'sendTime', isNumber: true },
  { name: 'time', isNumber: true },
  { name: 'href', isNumber: false },
  { name: 'requestValue', isNumber: false },
  { name: 'index', isNumber: true },
  { name: 'info', isNumber: false },
  { name: 'pageRequestId', isNumber: false },
  { name: 'actionRequestId', isNumber: false },
] as const;

export type ClickEvent = {
  readonly u: string;
  readonly s: string;
  readonly t: string;
  readonly tm: number;
  readonly d: string;
  readonly p: string;
  readonly e: readonly { readonly h?: string; readonly v?: string; readonly idx?: number; readonly obj?: string }[];
};

/** Gives the rows of an event. */
export function actionRowsOf(event: ClickEvent, sendTimeMs: number): ActionRow[] {
  const { u, s, t, d, p, tm } = event;
  return event.e.map(({ h = null, v = null, idx = null, obj = null }) => [
    u,
    s,
    t,
    d,
    p,
    sendTimeMs,
    tm,
    h,
    v,
    idx,
    obj,
    null,
    null,
  ]);
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** Writes rows as PostgreSQL's COPY and ClickHouse's TabSeparated read them alike. */
export function tabSeparated(rows: readonly ActionRow[]): Buffer {
  let text = '';
  for (const row of rows) {
    for (let place = 0; place < row.length; place += 1) {
      const value = row[place];
      if (place > 0) text += '\t';
      if (typeof value === 'string')
        text += /[\\\t\n\r]/.test(value) ? value.replaceAll(/[\\\t\n\r]/g, escaped) : value;
      else text += String(value ?? '\\N');
    }
    text += '\n';
  }
  return Buffer.from(text);
}

function escaped(character: string): string {
  return ESCAPES[character]!;
}

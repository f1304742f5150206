/** Where a peer's receiver puts rows. */
import type { ActionRow } from './action-rows.ts';

export interface RowStore {
  /** Stores rows; they are durable when this resolves. One call at a time. */
  append(rows: readonly ActionRow[]): Promise<void>;
}

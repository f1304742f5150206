/** By what the clicks of erased visitors are known: their devices, and where their activations came from. */
import type { UnnumberedMigration } from './migrate.ts';

export const erasedClicks: UnnumberedMigration = {
  name: 'erased-clicks',
  sql: `
ALTER TABLE erasure ADD COLUMN searched_owners INTEGER NOT NULL DEFAULT 0; -- with so many, all hours before next_hour were looked through
ALTER TABLE erasure_visitors ADD COLUMN owners TEXT NOT NULL DEFAULT '[]'; -- JSON, in the order in which they were found; deleted with the ids
`,
};

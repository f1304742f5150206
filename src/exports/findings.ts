/** What a verification finds, one sentence each. */
export interface Findings {
  /** Something is not as a manifest or the publication log says. */
  fault(sentence: string): void;
  /** Something that a person may want to know and that makes nothing wrong. */
  note(sentence: string): void;
}

/** How much a verification looked at. */
export type VerifiedCounts = {
  entries: number;
  manifests: number;
  packages: number;
  rows: number;
  bytes: number;
};

export function noCounts(): VerifiedCounts {
  return { entries: 0, manifests: 0, packages: 0, rows: 0, bytes: 0 };
}

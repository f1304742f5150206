/**
 * The manifest and the entries of the publication log as the world sees them: one schema for the API's answers, for the documents
 * that `tidegate verify` reads, and for the types.
 *
 * The form is published (docs/package-format.md): a change is a change of `schemaVersion`.
 */
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { DATA_TYPES } from '../events/data-types.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });
const hex = (digits: number, description: string) => Type.String({ pattern: `^[0-9a-f]{${digits}}$`, description });

/** What an entry's hash covers, in the order in which documents show it. */
const ENTRY = {
  ai: Type.String({ pattern: '^[0-9A-Za-z-]{1,64}$', description: 'Public id of the project.' }),
  hour: Type.String({ pattern: '^\\d{10}$', description: 'The hour, yyyyMMddHH in Beijing time.' }),
  revision: Type.Integer({ minimum: 1, description: 'Counts the publications of this hour, from 1.' }),
  seq: Type.Integer({ minimum: 1, description: 'Place in the publication log of the project, from 1.' }),
  prev: hex(64, 'Hash of the entry before this one; zeros for the first.'),
  publishedAt: Type.String({
    pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$',
    description: 'When it was published, RFC 3339 in UTC with milliseconds.',
  }),
  contentSha256: hex(
    64,
    'SHA-256 of the canonical JSON of schemaVersion, codec, settings (where it is there), ledger and packages.',
  ),
};

const PROOF = {
  hash: hex(64, 'SHA-256 of the canonical JSON of ai, hour, revision, seq, prev, publishedAt and contentSha256.'),
  signature: hex(128, "Ed25519 signature of the hash's 32 bytes by the key of /.well-known/tidegate.json."),
};

const PackageDocument = Type.Object(
  {
    dataType: Type.Enum([...DATA_TYPES], { description: 'The table that it belongs to.' }),
    name: Type.String({ description: 'File name.' }),
    rows: count('Rows, the header line not counted.'),
    bytes: count('Bytes of the compressed file.'),
    md5: hex(32, 'MD5 of the compressed file.'),
    sha256: hex(64, 'SHA-256 of the compressed file.'),
    csvSha256: hex(64, 'SHA-256 of the unpacked CSV, header line included; the same on every codec.'),
  },
  { description: 'One gzip CSV file.' },
);

const LedgerDocument = Type.Object(
  {
    events: Type.Record(
      Type.String(),
      Type.Object({
        received: count('Events that came in, counted before they were mapped.'),
        accepted: count('Events of which rows were found at the export.'),
        rejected: count('Events kept with a reason, for no table has a place for them.'),
        ignored: count('Events of types that the export does not hold.'),
        erased: Type.Optional(count('Events whose rows or rejected records were erased; absent where none were.')),
      }),
      { description: 'By ledger line: received = accepted + rejected + ignored + erased.' },
    ),
    rows: Type.Record(
      Type.String(),
      Type.Object({
        made: count('Rows that the accepted events were to make.'),
        exported: count('Rows in the packages.'),
        duplicates: count('Rows left out, because an equal one is exported here or in the hour before.'),
        erased: Type.Optional(count('Rows of visitors who were erased; absent where none were.')),
      }),
      { description: 'By data type: made = exported + duplicates + erased.' },
    ),
    imported: count('How many of the events came by import.'),
    replayed: Type.Optional(
      count('How many of the events had been rejected and were sent again; absent when none was.'),
    ),
  },
  { description: 'The two balances of the hour.' },
);

const SettingsDocument = Type.Object(
  {
    packageBytes: Type.Integer({ minimum: 1, description: 'Bytes that no package was to have more of.' }),
    gzipLevel: Type.Integer({ minimum: 1, maximum: 9, description: 'The gzip level that was asked for.' }),
    extendedColumns: Type.Boolean({
      description: 'Whether OAID and clickUrl follow the documented columns of the ads tables.',
    }),
    lineBreaks: Type.Enum(['keep', 'blank'], { description: 'blank: line breaks inside values are blanks.' }),
  },
  { description: 'What the packages were made with; since schemaVersion 2.' },
);

/** An entry of the publication log. */
export const LogEntryDocument = Type.Object(
  { ...ENTRY, ...PROOF },
  { description: 'An entry of the publication log; it stays when what it published is deleted.' },
);

/** A whole manifest. */
export const ManifestDocument = Type.Object(
  {
    ...ENTRY,
    schemaVersion: Type.Enum([1, 2], { description: 'Version of this form. 2 has settings.' }),
    codec: Type.String({ description: 'The compressor whose bytes the packages are.' }),
    settings: Type.Optional(SettingsDocument),
    ledger: LedgerDocument,
    packages: Type.Array(PackageDocument, { description: 'The packages, in order of data type and part.' }),
    ...PROOF,
  },
  { description: 'What one revision of an hour holds.' },
);

/** One entry of a publication log, with its hash and signature. */
export type PublicLogEntry = Static<typeof LogEntryDocument>;

/** The document that clients read. */
export type PublicManifest = Static<typeof ManifestDocument>;

/** A package as the public manifest lists it: what a client can check, not where the server keeps it. */
export type PublicPackage = Static<typeof PackageDocument>;

/** What an entry's `hash` covers. */
export type LogEntry = Omit<PublicLogEntry, 'hash' | 'signature'>;

/** What a revision published: what `contentSha256` covers. Packages are in order of data type and part. */
export type ManifestContent = Omit<PublicManifest, keyof PublicLogEntry>;

/** Reads a manifest from JSON of unknown origin. Returns a sentence when it is none. */
export function parseManifestDocument(text: string): PublicManifest | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is no JSON.';
  }
  if (Value.Check(ManifestDocument, value)) return value;
  const [fault] = Value.Errors(ManifestDocument, value);
  const { instancePath: place = '', message = 'has another form' } = fault ?? {};
  return `it is no manifest: ${place === '' ? 'the document' : place} ${message}.`;
}

/**
 * The manifest as the world sees it, and what makes a project's publication log tamper-evident.
 *
 * Two hashes, each the SHA-256 of canonical JSON (keys sorted by UTF-16 code units, no blanks, strings and whole numbers as
 * JSON.stringify writes them). `contentSha256` covers what was published: schemaVersion, codec, ledger and packages. `hash`
 * covers the entry of the log: ai, hour, revision, seq, prev, publishedAt and contentSha256. So the chain of entries can still
 * be checked when retention has deleted what they published. `prev` is the hash of the entry before, so an entry cannot be
 * changed or left out without changing all later ones; the signature is Ed25519 over the 32 bytes of the hash, so that they
 * cannot be made anew without the server's key.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from '../events/canonical-json.ts';
import { formatBeijingHour } from '../events/hour.ts';
import type { Manifest, ManifestFacts, PackageEntry, Publication } from './catalog.ts';
import type { LogEntry, ManifestContent, PublicLogEntry, PublicManifest, PublicPackage } from './manifest-schema.ts';

/** `prev` of a project's first entry. */
export const NO_PREVIOUS_HASH = '0'.repeat(64);

/** What a log entry is made of inside the catalog. */
export type LogEntryFields = Omit<Publication, 'hash' | 'signature'>;

/** Builds the document that clients read and can check with `findManifestFault`. */
export function buildPublicManifest(manifest: Manifest): PublicManifest {
  return {
    ...buildLogEntry(manifest),
    ...buildManifestContent(manifest.facts, manifest.packages),
    hash: manifest.hash,
    signature: manifest.signature,
  };
}

/** Builds a log entry as clients read it; they can check it with `findLogFault`. */
export function buildPublicLogEntry(publication: Publication): PublicLogEntry {
  return { ...buildLogEntry(publication), hash: publication.hash, signature: publication.signature };
}

/** Builds what an entry's hash covers. */
export function buildLogEntry({
  ai,
  hour,
  revision,
  seq,
  prev,
  publishedAtMs,
  contentSha256,
}: LogEntryFields): LogEntry {
  return {
    ai,
    hour: formatBeijingHour(hour),
    revision,
    seq,
    prev,
    publishedAt: new Date(publishedAtMs).toISOString(),
    contentSha256,
  };
}

/** Builds what `contentSha256` covers. The packages must be in order of data type and part. */
export function buildManifestContent(facts: ManifestFacts, packages: readonly PackageEntry[]): ManifestContent {
  const { schemaVersion, codec, settings, ledger } = facts;
  return { schemaVersion, codec, ...(settings && { settings }), ledger, packages: packages.map(publicPackageOf) };
}

function publicPackageOf(entry: PackageEntry): PublicPackage {
  const { dataType, name, rows, bytes, md5, sha256, csvSha256 } = entry;
  return { dataType, name, rows, bytes, md5, sha256, csvSha256 };
}

/** Gives the hex SHA-256 of a value's canonical JSON. */
export function hashCanonical(value: LogEntry | ManifestContent): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

/** Signs an entry's hash; gives the signature as hex. */
export function signManifestHash(hash: string, key: KeyObject): string {
  return sign(null, Buffer.from(hash, 'hex'), key).toString('hex');
}

/**
 * Checks manifests that follow one another in a project's publication log, from any entry on: hashes, signatures and links.
 * Returns the first fault in a sentence, undefined when there is none.
 */
export function findManifestFault(manifests: readonly PublicManifest[], publicKeyPem: string): string | undefined {
  for (const manifest of manifests) {
    const fault = findContentFault(manifest);
    if (fault !== undefined) return fault;
  }
  return findLogFault(manifests, publicKeyPem);
}

/** Checks log entries that follow one another, whether or not what they published is still there. As `findManifestFault`. */
export function findLogFault(entries: readonly PublicLogEntry[], publicKeyPem: string): string | undefined {
  const publicKey = createPublicKey(publicKeyPem);
  for (const [index, entry] of entries.entries()) {
    const fault = findEntryFault(entry, entries[index - 1], publicKey);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Checks that a manifest says what its log entry has published. */
export function findContentFault(manifest: PublicManifest): string | undefined {
  const { packages, schemaVersion, codec, settings, ledger, contentSha256 } = manifest;
  const content = { schemaVersion, codec, ...(settings && { settings }), ledger, packages };
  if (hashCanonical(content) === contentSha256) return undefined;
  return `Entry ${manifest.seq} of ${manifest.ai} published something else than ${contentSha256}.`;
}

/** Checks one log entry, and that it follows the one before; any entry may be the first of a stretch. */
export function findEntryFault(
  entry: PublicLogEntry,
  before: PublicLogEntry | undefined,
  publicKey: KeyObject,
): string | undefined {
  const { ai, hour, revision, seq, prev, publishedAt, contentSha256, hash, signature } = entry;
  const name = `Entry ${seq} of ${ai}`;
  if (hashCanonical({ ai, hour, revision, seq, prev, publishedAt, contentSha256 }) !== hash) {
    return `${name} does not hash to ${hash}.`;
  }
  if (!verify(null, Buffer.from(hash, 'hex'), publicKey, Buffer.from(signature, 'hex'))) {
    return `${name} is not signed by this key.`;
  }
  if (before ? ai !== before.ai || seq !== before.seq + 1 : seq < 1) return `${name} is out of sequence.`;
  if (before ? prev !== before.hash : seq === 1 && prev !== NO_PREVIOUS_HASH) {
    return `${name} does not follow the entry before it.`;
  }
  return undefined;
}

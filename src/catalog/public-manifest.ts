/**
 * The manifest as the world sees it, and what makes a project's publication log tamper-evident.
 *
 * An entry's hash is the SHA-256 of the canonical JSON of its *content*: the public manifest without `hash` and `signature`.
 * Canonical means: keys sorted by UTF-16 code units, no blanks, strings and whole numbers as JSON.stringify writes them. The
 * content names the hash of the entry before it, so an entry cannot be changed or left out without changing all later ones; the
 * signature is Ed25519 over the 32 bytes of the hash, so that they cannot be made anew without the server's key.
 *
 * The form is published (docs/package-format.md): a change is a change of `schemaVersion`.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from '../events/canonical-json.ts';
import { formatBeijingHour } from '../events/hour.ts';
import type { Manifest, ManifestFacts, PackageEntry } from './catalog.ts';

/** `prev` of a project's first entry. */
export const NO_PREVIOUS_HASH = '0'.repeat(64);

/** A package as the public manifest lists it: what a client can check, not where the server keeps it. */
export type PublicPackage = Omit<PackageEntry, 'part' | 'key'>;

/** What an entry's hash covers. */
export type ManifestContent = {
  readonly ai: string;
  /** yyyyMMddHH in Beijing time. */
  readonly hour: string;
  readonly revision: number;
  readonly seq: number;
  readonly prev: string;
  /** RFC 3339, UTC, with milliseconds. */
  readonly publishedAt: string;
  /** In order of data type and part. */
  readonly packages: readonly PublicPackage[];
  readonly facts: ManifestFacts;
};

export type PublicManifest = ManifestContent & { readonly hash: string; readonly signature: string };

/** Builds the document that clients read and can check with `findManifestFault`. */
export function buildPublicManifest(manifest: Manifest): PublicManifest {
  return { ...buildManifestContent(manifest), hash: manifest.hash, signature: manifest.signature };
}

/** Builds what the hash of a manifest covers. The packages must be in order of data type and part. */
export function buildManifestContent(manifest: Omit<Manifest, 'hash' | 'signature'>): ManifestContent {
  const { ai, hour, revision, seq, prev, publishedAtMs, packages, facts } = manifest;
  return {
    ai,
    hour: formatBeijingHour(hour),
    revision,
    seq,
    prev,
    publishedAt: new Date(publishedAtMs).toISOString(),
    packages: packages.map(publicPackageOf),
    facts,
  };
}

function publicPackageOf(entry: PackageEntry): PublicPackage {
  const { dataType, name, rows, bytes, md5, sha256, csvSha256 } = entry;
  return { dataType, name, rows, bytes, md5, sha256, csvSha256 };
}

/** Gives the hex SHA-256 of an entry's content. */
export function hashManifestContent(content: ManifestContent): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
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
  const publicKey = createPublicKey(publicKeyPem);
  for (const [index, manifest] of manifests.entries()) {
    const { hash, signature, ...content } = manifest;
    const entry = `Entry ${manifest.seq} of ${manifest.ai}`;
    if (hashManifestContent(content) !== hash) return `${entry} does not hash to ${hash}.`;
    if (!verify(null, Buffer.from(hash, 'hex'), publicKey, Buffer.from(signature, 'hex'))) {
      return `${entry} is not signed by this key.`;
    }
    const before = manifests[index - 1];
    if (before ? manifest.ai !== before.ai || manifest.seq !== before.seq + 1 : manifest.seq < 1) {
      return `${entry} is out of sequence.`;
    }
    if (before ? manifest.prev !== before.hash : manifest.seq === 1 && manifest.prev !== NO_PREVIOUS_HASH) {
      return `${entry} does not follow the entry before it.`;
    }
  }
  return undefined;
}

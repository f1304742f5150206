/**
 * Links to packages: the one shape that all export clients can read, signed so that nobody can make or change one.
 *
 *   {base}/{hexprefix}_{ai}_{type}_v2_{yyyyMMddHHmm UTC}/{file name}?Expires={epoch seconds}&Signature={64 hex digits}
 *
 * Links of the 1.0 API have no `_v2`, as theirs never had: a client of it takes all that stands between ai and date for the table.
 *
 * Clients cut such links at fixed places, so hexprefix fills the folder's start up to where they cut. It is keyed, so it tells
 * nothing. The signature is an HMAC-SHA256 over every byte from the folder's slash to the end of Expires, and a link is
 * read from the request target as it came, before anything is decoded: another order, a parameter more, a digit in upper case or
 * a percent-encoding makes it another text, and that was never signed.
 *
 * Not here: whether the package is still there, and the base, which a proxy may change.
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { isDataType, type DataType } from '../events/data-types.ts';
import { formatUtcHour, parseUtcHour, type Hour } from '../events/hour.ts';
import { isLegacyTable, type LegacyTable } from '../events/legacy-tables.ts';

/** The package that a link leads to: of a data type, or of a table of the 1.0 API. */
export type LinkedPackage = {
  readonly ai: string;
  readonly hour: Hour;
  /** File name, `part-00000-{uuid}-c000.csv.gz`. */
  readonly name: string;
} & (
  { readonly api?: undefined; readonly dataType: DataType } | { readonly api: '1.0'; readonly dataType: LegacyTable }
);

type LinkedRevision = LinkedPackage & { readonly revision: number };

/** What became of a request target that should be a link. */
export type LinkCheck =
  | { readonly status: 'valid'; readonly linked: LinkedPackage }
  | { readonly status: 'expired' }
  | { readonly status: 'refused' };

// Clients want 46 <= H + L <= 62, H being the length of `{base}/` and L that of hexprefix; the middle forgives a base that a
// proxy changes.
const WANTED_LENGTH = 54;
const MIN_PREFIX_LENGTH = 4;
const MAX_PREFIX_LENGTH = 50;

// Neither an ai nor hexprefix holds an underscore, so the first two end them, whatever the data type holds.
const LINK =
  /^(\/[0-9a-f]{4,50}_([0-9A-Za-z-]{1,64})_([a-z_]{1,40})_(v2_)?(\d{12})\/([0-9A-Za-z][0-9A-Za-z._-]{0,127})\?Expires=(\d{1,12}))&Signature=([0-9a-f]{64})$/;

type LinkParts = readonly [
  whole: string,
  signed: string,
  ai: string,
  dataType: string,
  version: string | undefined,
  hour: string,
  name: string,
  expires: string,
  signature: string,
];

/** Survives the change of any one character of a link. */
const LINK_TRACE = /_v2_\d{12}\/|_[a-z]+_\d{12}\/|[?&](Expires|Signature)=/;

/** Builds and checks links under one server key. */
export class LinkSigner {
  readonly #linkKey: KeyObject;
  /** The folders of packages that are linked to again; half of a link's cost. */
  readonly #folders = new WeakMap<LinkedRevision, { readonly prefix: string; readonly rest: string }>();

  constructor(options: { readonly linkKey: Buffer }) {
    this.#linkKey = createSecretKey(options.linkKey); // signs three times as fast as with the bytes
  }

  /** Builds the link to a package. `base` is the public URL without a slash at its end; valid to the end of `expiresAtSeconds`. */
  build(link: { readonly base: string; readonly linked: LinkedRevision; readonly expiresAtSeconds: number }): string {
    const { prefix, rest } = this.#folderOf(link.linked);
    const cut = prefix.slice(0, prefixLength(link.base.length + 1));
    const signed = `/${cut}_${rest}/${link.linked.name}?Expires=${link.expiresAtSeconds}`;
    return `${link.base}${signed}&Signature=${this.#sign(signed).toString('hex')}`;
  }

  #folderOf(linked: LinkedRevision): { readonly prefix: string; readonly rest: string } {
    const known = this.#folders.get(linked);
    if (known) return known;
    const rest = `${linked.ai}_${linked.dataType}_${linked.api === undefined ? 'v2_' : ''}${formatUtcHour(linked.hour)}`;
    const folder = { prefix: this.#hmac(`prefix\n${rest}\n${linked.revision}`).toString('hex'), rest };
    this.#folders.set(linked, folder);
    return folder;
  }

  /** Checks a request target, path and query exactly as they came. */
  check(target: string, nowMs: number): LinkCheck {
    const match = LINK.exec(target);
    if (!match) return { status: 'refused' };
    const [, signed, ai, dataType, version, hourText, name, expires, signature] = match as unknown as LinkParts;
    if (!timingSafeEqual(this.#sign(signed), Buffer.from(signature, 'hex'))) return { status: 'refused' };
    const hour = parseUtcHour(hourText);
    const table = tableOf(dataType, version);
    if (hour === undefined || table === undefined) return { status: 'refused' };
    if (Math.floor(nowMs / 1000) > Number(expires)) return { status: 'expired' };
    return { status: 'valid', linked: { ai, ...table, hour, name } };
  }

  #sign(signed: string): Buffer {
    return this.#hmac(`link\n${signed}`);
  }

  #hmac(text: string): Buffer {
    return createHmac('sha256', this.#linkKey).update(text).digest();
  }
}

/** Says whether a request target looks like a link, also a broken one, so that its sender is told about links. */
export function resemblesLink(target: string): boolean {
  return LINK_TRACE.test(target);
}

function tableOf(
  name: string,
  version: string | undefined,
): { readonly dataType: DataType } | { readonly api: '1.0'; readonly dataType: LegacyTable } | undefined {
  if (version !== undefined) return isDataType(name) ? { dataType: name } : undefined;
  return isLegacyTable(name) ? { api: '1.0', dataType: name } : undefined;
}

function prefixLength(baseLength: number): number {
  return Math.min(MAX_PREFIX_LENGTH, Math.max(MIN_PREFIX_LENGTH, WANTED_LENGTH - baseLength));
}

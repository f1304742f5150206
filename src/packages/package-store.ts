/**
 * Where packages lie. Implementations: `local-package-store.ts` (a directory); S3-compatible storage comes later.
 *
 * A key is a relative path of safe names, `{ai}/{yyyyMMddHHmm UTC}/r{revision}/{dataType}/{file}`.
 *
 * Invariants: P1 a package is readable under its key only after `finish` returned, whole and durable. P2 a published package's
 * bytes never change. P3 a reader that has opened a package reads it to its end although it is deleted meanwhile.
 */
import type { Hour } from '../events/hour.ts';
import type { Readable } from 'node:stream';

export interface PackageStore extends PackageReader, PackageCreator {
  /**
   * Deletes everything of a project's hours before this one, whether a manifest names it or not: packages of tries that never
   * were published go too.
   */
  deleteBefore(ai: string, hour: Hour): Promise<void>;
  /**
   * Deletes everything below a folder of keys, unfinished packages too, but for what lies in its folders of these names. Durable
   * when it returns.
   */
  deleteUnder(folder: string, kept?: ReadonlySet<string>): Promise<void>;
  /** Deletes a package, or nothing when it is not there, and then its empty parent directories. */
  delete(key: string): Promise<void>;
}

/** The part of a package store that an export needs. */
export interface PackageCreator {
  /** Opens a package for writing. Nothing is visible under the key yet. Replaces an unfinished or unpublished one. */
  create(key: string): Promise<PackageSink>;
}

/** The part of a package store that a download needs. */
export interface PackageReader {
  /** Opens a package for reading. Undefined when there is none. */
  open(key: string): Promise<OpenPackage | undefined>;
}

/** A package being written, in order. The caller waits for each call before the next. */
export interface PackageSink {
  /** Adds bytes. @throws the system error of the disk, such as ENOSPC */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the package durable and visible under its key. */
  finish(): Promise<void>;
  /** Forgets what was written. May be called at any time, also after an error. */
  abort(): Promise<void>;
}

/** A package being read. `close` must be called; the stream closes itself. */
export interface OpenPackage {
  /** Size of the whole package. */
  readonly bytes: number;
  /** Reads bytes from `from` on, as many as there are and fit; says how many. Several reads may run at a time. */
  read(into: Uint8Array, from: number): Promise<number>;
  /** Streams bytes [from, until). Closes the package when it ends or is destroyed. */
  stream(range: { readonly from: number; readonly until: number }): Readable;
  close(): Promise<void>;
}

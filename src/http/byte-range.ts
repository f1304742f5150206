/** Reads Range headers (RFC 9110 §14). */

export type ByteRange =
  | { readonly status: 'whole' }
  /** Bytes [from, until). */
  | { readonly status: 'part'; readonly from: number; readonly until: number }
  | { readonly status: 'unsatisfiable' };

/**
 * Reads a Range header for a file of `bytes`. What is no single range of bytes is ignored, as the RFC allows: several ranges
 * would need a multipart answer, which no export client reads.
 */
export function parseByteRange(header: string | undefined, bytes: number): ByteRange {
  const match = /^\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header ?? '');
  const [, first, last] = match ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return { status: 'whole' };
  if (first === '') {
    const wanted = Math.min(Number(last), bytes);
    return wanted === 0 ? { status: 'unsatisfiable' } : { status: 'part', from: bytes - wanted, until: bytes };
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) return { status: 'whole' }; // no valid range
  if (from >= bytes) return { status: 'unsatisfiable' };
  return { status: 'part', from, until: last === '' ? bytes : Math.min(Number(last) + 1, bytes) };
}

/**
 * The copy that all LZ codings share: from earlier output to the end of the output, where the two may overlap.
 */

/** From this length on the native copy costs less than a loop. */
const NATIVE_COPY_BYTES = 48;

/**
 * Writes `length` bytes at `at`, each one equal to the byte `distance` before it.
 *
 * With `distance` below `length` the copy reads what it has just written, which is how LZ codings repeat a pattern. The caller
 * has checked that 0 < distance <= at and that the output is long enough.
 */
export function copyForward(output: Buffer, at: number, distance: number, length: number): void {
  const until = at + length;
  if (length >= NATIVE_COPY_BYTES && distance >= length) {
    output.copyWithin(at, at - distance, until - distance);
    return;
  }
  for (let to = at; to < until; to += 1) output[to] = output[to - distance]!;
}

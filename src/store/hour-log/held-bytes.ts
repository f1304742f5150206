/** Holds a copy of some bytes of a block, which is overwritten when its cursor moves on. Keeps its buffer, which only grows. */
export class HeldBytes {
  bytes: Buffer = Buffer.allocUnsafeSlow(128);
  length = 0;

  /** Copies the bytes [start, end). */
  hold(block: Buffer, start: number, end: number): void {
    this.length = end - start;
    if (this.length > this.bytes.length) this.bytes = Buffer.allocUnsafeSlow(2 * this.length);
    block.copy(this.bytes, 0, start, end);
  }

  /** Says whether the bytes [start, end) are those that are held. */
  equals(block: Buffer, start: number, end: number): boolean {
    return end - start === this.length && block.compare(this.bytes, 0, this.length, start, end) === 0;
  }
}

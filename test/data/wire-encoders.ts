/** Encoders of the mobile codings for tests: an LZ4 block encoder of our own, so that the decoder is not its own judge, and XOR. */

/** Makes one raw LZ4 block, greedily, by the format's rules for its end: the last 5 bytes are literals, no match begins in the last 12. */
export function encodeLz4Block(input: Buffer): Buffer {
  const parts: Buffer[] = [];
  const lastPlace = new Map<number, number>();
  const lastMatchStart = input.length - 12;
  const matchLimit = input.length - 5;
  let literalStart = 0;
  let at = 0;
  while (at < lastMatchStart) {
    const key = input.readUInt32LE(at);
    const candidate = lastPlace.get(key);
    lastPlace.set(key, at);
    if (candidate === undefined || at - candidate > 0xffff) {
      at += 1;
      continue;
    }
    let length = 4;
    while (at + length < matchLimit && input[candidate + length] === input[at + length]) length += 1;
    parts.push(sequence(input.subarray(literalStart, at), at - candidate, length));
    at += length;
    literalStart = at;
  }
  parts.push(sequence(input.subarray(literalStart), 0, 0));
  return Buffer.concat(parts);
}

function sequence(literals: Buffer, offset: number, matchLength: number): Buffer {
  const match = matchLength === 0 ? 0 : matchLength - 4;
  const token = (Math.min(literals.length, 15) << 4) | Math.min(match, 15);
  const head = Buffer.concat([Buffer.from([token]), extension(literals.length), literals]);
  if (matchLength === 0) return head;
  return Buffer.concat([head, Buffer.from([offset & 0xff, offset >>> 8]), extension(match)]);
}

function extension(length: number): Buffer {
  if (length < 15) return Buffer.alloc(0);
  const rest = length - 15;
  return Buffer.concat([Buffer.alloc(Math.floor(rest / 255), 255), Buffer.from([rest % 255])]);
}

/** XORs every byte with the low byte of stm, as mobile SDKs do. */
export function xorBody(body: Buffer, stm: number): Buffer {
  const key = Number(BigInt(stm) & 0xffn);
  return Buffer.from(body.map((byte) => byte ^ key));
}

/**
 * Makes click traffic of a shop from a seed: the same seed gives the same bytes. Shaped as web SDK 2.x sends it, plain JSON.
 */

/** A small seeded generator of numbers in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const PRODUCTS = ['苹果', '香蕉', 'running shoes', 'USB-C cable, 2 m', '12" pan', '牛奶'];

/** Gives bodies of `eventsPerBody` click events, `rows` events in all, of visitors who come back within the hour. */
export function* actionBodies(options: {
  readonly rows: number;
  readonly eventsPerBody: number;
  readonly startMs: number;
  readonly seed: number;
}): Generator<Buffer> {
  const random = seededRandom(options.seed);
  const uuid = (): string => {
    const hex = Array.from({ length: 4 }, () =>
      Math.floor(random() * 0x1_0000_0000)
        .toString(16)
        .padStart(8, '0'),
    ).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
  };
  const visitors = Array.from({ length: Math.max(10, Math.ceil(options.rows / 40)) }, () => ({ u: uuid(), s: uuid() }));
  for (let made = 0; made < options.rows;) {
    const { u, s } = visitors[Math.floor(random() * visitors.length)]!;
    const ptm = options.startMs + Math.floor(random() * 3_000_000);
    const events = [];
    for (; events.length < options.eventsPerBody && made < options.rows; made += 1) {
      const product = Math.floor(random() * 90_000);
      events.push({
        u,
        s,
        t: 'clck',
        tm: ptm + Math.floor(random() * 60_000),
        ptm,
        d: 'shop.example.test',
        p: `/product/${product}`,
        q: `cid=${product % 97}&from=list`,
        cs1: `user-${product % 1000}`,
        e: [
          {
            x: `/div/ul/li/a#buy-${product % 50}`,
            v: `去购买 ${PRODUCTS[product % PRODUCTS.length]!}`,
            h: `https://shop.example.test/cart/add?id=${product}`,
            idx: (product % 20) + 1,
          },
        ],
      });
    }
    yield Buffer.from(JSON.stringify(events));
  }
}

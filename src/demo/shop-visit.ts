/**
 * Writes what one visit to the shop sends: pages that lead to each other, clicks, searches, forms, orders.
 *
 * Every event after a page names it by `ptm`, and every page belongs to the visit's `vst`, so the joins of the export hold.
 */
import type { WireObject } from '../events/column-sources.ts';
import type { Device } from './devices.ts';
import type { Random } from './random.ts';
import { CAMPAIGNS, COMMENTS, PAGES, PRODUCTS, SEARCHES, type PageKind, type Product } from './shop.ts';

export type Visitor = {
  readonly id: string;
  readonly device: Device;
  /** The login user; null for a guest. */
  readonly loginUser: string | null;
  /** How far the device's clock is ahead. */
  readonly clockSkewMs: number;
  /** Whether this visit is the first after the app was installed. */
  readonly isNew: boolean;
};

/** An event and when it happened, by the true clock. */
export type TimedEvent = { readonly atMs: number; readonly event: WireObject };
/** What the visitor's device sends, and what the shop's server sends of it (orders paid). */
export type ShopVisit = { readonly clientEvents: readonly TimedEvent[]; readonly serverEvents: readonly TimedEvent[] };

type NextPage = { readonly to: PageKind | 'leave'; readonly weight: number };
type OpenPage = { readonly kind: PageKind; readonly tm: number; readonly path: string; readonly query: string };

const NEXT_PAGES: Readonly<Record<PageKind | 'entry', readonly NextPage[]>> = {
  entry: links({ home: 50, item: 28, list: 14, search: 8 }),
  home: links({ search: 25, list: 35, item: 28, leave: 12 }),
  search: links({ item: 70, search: 12, leave: 18 }),
  list: links({ item: 70, home: 12, leave: 18 }),
  item: links({ item: 27, cart: 24, list: 13, home: 8, leave: 28 }),
  cart: links({ checkout: 55, item: 22, leave: 23 }),
  checkout: links({ done: 72, cart: 10, leave: 18 }),
  done: links({ home: 25, leave: 75 }),
};
const MAX_PAGES = 30;

function links(weights: Partial<Record<PageKind | 'leave', number>>): readonly NextPage[] {
  return Object.entries(weights).map(([to, weight]) => ({ to: to as PageKind | 'leave', weight }));
}

/** Writes one visit that begins at this instant. */
export function writeShopVisit(visitor: Visitor, startMs: number, random: Random): ShopVisit {
  const writer = new VisitWriter(visitor, startMs, random);
  writer.write();
  return writer;
}

class VisitWriter implements ShopVisit {
  readonly clientEvents: TimedEvent[] = [];
  readonly serverEvents: TimedEvent[] = [];
  readonly #visitor: Visitor;
  readonly #random: Random;
  readonly #session: string;
  readonly #campaign: string;
  #atMs: number;
  #page: OpenPage | undefined;
  #product: Product;

  constructor(visitor: Visitor, startMs: number, random: Random) {
    this.#visitor = visitor;
    this.#random = random;
    this.#session = random.uuid();
    this.#campaign = random.pick(CAMPAIGNS);
    this.#product = random.pickWeighted(PRODUCTS);
    this.#atMs = startMs;
  }

  write(): void {
    const random = this.#random;
    let next = random.pickWeighted(NEXT_PAGES.entry).to;
    for (let pages = 0; next !== 'leave' && pages < MAX_PAGES; pages += 1) {
      this.#openPage(next, pages === 0);
      this.#act(next);
      const following: PageKind | 'leave' = random.pickWeighted(NEXT_PAGES[next]).to;
      if (following !== 'leave') this.#clickTowards(following);
      next = following;
    }
  }

  #openPage(kind: PageKind, isEntry: boolean): void {
    const { device, loginUser } = this.#visitor;
    const before = this.#page;
    if (kind === 'item' && !isEntry) this.#product = this.#random.pickWeighted(PRODUCTS);
    const page = this.#pageOf(kind, isEntry);
    this.#page = page;
    const { title, group } = PAGES[kind];
    const isWeb = device.world === 'web';
    const event = {
      ...this.#common('page'),
      ...this.#place(),
      tm: page.tm,
      tl: kind === 'item' ? `${this.#product.name} - ${title}` : title,
      ...(isWeb ? { rf: before ? `https://${device.domain}${before.path}` : this.#referrer() } : {}),
      ...(device.world === 'minp' ? { rp: before?.path ?? device.visitKeys.ch } : {}),
      ...(device.world === 'app' ? { ...(before && { rp: before.path }), o: 'PORTRAIT', pg: group } : {}),
      ...(device.pathWord === 'wap' ? { ps1: group, ps2: this.#product.category } : {}),
      ...(loginUser !== null && { cs1: loginUser }),
    };
    if (!isEntry) this.#add(event);
    // The web SDK sends the visit first with a time a few milliseconds later, the mini program's sends it after its page.
    else if (isWeb) this.#add(this.#visitEvent(page, 6), event);
    else if (device.world === 'minp') this.#add(event, this.#visitEvent(page, 0));
    else this.#add(...this.#activation(page), this.#visitEvent(page, 0), event);
    if (isEntry) this.#addVisitorVariables();
  }

  #visitEvent(page: OpenPage, laterMs: number): WireObject {
    const { device } = this.#visitor;
    const event = { ...this.#common('vst'), ...device.visitKeys, tm: page.tm + laterMs, d: device.domain };
    if (device.world === 'app') return event;
    return { ...event, p: page.path, q: page.query, ...(device.world === 'web' && { rf: this.#referrer() }) };
  }

  #activation(page: OpenPage): readonly WireObject[] {
    const { id, device, isNew } = this.#visitor;
    return isNew && device.activationKeys ? [{ t: 'activate', u: id, tm: page.tm, ...device.activationKeys }] : [];
  }

  #addVisitorVariables(): void {
    const { device, loginUser } = this.#visitor;
    const random = this.#random;
    if (this.#campaign !== 'none') this.#addVariables('evar', { campaign: this.#campaign, entry: this.#page!.path });
    if (loginUser !== null && random.chance(0.3))
      this.#addVariables('vstr', { level: random.pick(['普通', '银卡', '金卡 👑']), city: device.city });
  }

  #addVariables(t: 'evar' | 'vstr', variables: WireObject): void {
    const { device } = this.#visitor;
    const domain = device.world === 'web' ? {} : { d: device.domain };
    this.#add({ ...this.#common(t), tm: this.#clientMs(), var: this.#variables(variables), ...domain });
  }

  /** What a visitor does on a page besides going on. */
  #act(kind: PageKind): void {
    const random = this.#random;
    this.#atMs += random.waitMs(12_000);
    const { id, name, category, price } = this.#product;
    if (kind === 'item') {
      this.#addOfPage('pvar', { var: this.#variables({ category, price, item: name }) });
      if (random.chance(0.15)) this.#addForm('评价', random.pick(COMMENTS));
    }
    if (kind === 'search') {
      const words = random.pick(SEARCHES);
      this.#addForm('搜索', words);
      this.#addOfPage('cstm', { n: 'search', var: this.#variables({ words, results: random.integer(0, 200) }) });
    }
    if (kind === 'checkout') this.#addForm('收货地址', `${this.#visitor.device.city}市 "潮汐"路 8 号\n3 单元, 501 室`);
    if (kind === 'cart') this.#addOfPage('cstm', { n: 'addToCart', num: 1, var: this.#variables({ id, item: name }) });
    if (kind === 'done') this.#addOrder();
  }

  #addForm(label: string, value: string): void {
    this.#addAction('chng', [{ x: `/form/input[${label}]`, v: value, obj: label }]);
    this.#atMs += this.#random.waitMs(4_000);
    this.#addAction('sbmt', [{ x: '/form', v: label }]);
  }

  #addOrder(): void {
    const random = this.#random;
    const { loginUser } = this.#visitor;
    const { name, price } = this.#product;
    const count = random.integer(1, 4);
    const amount = Math.round(price * count * 100) / 100;
    const orderId = `D${random.digits(12)}`;
    const variables = { orderId, item: name, count, note: random.pick(COMMENTS) };
    this.#addOfPage('cstm', { n: 'order', num: amount, var: this.#variables(variables) });
    if (loginUser === null) return;
    const paidMs = this.#atMs + random.waitMs(20_000);
    const event = { t: 'cstm', tm: paidMs, n: 'orderPaid', cs1: loginUser, num: amount, var: { orderId, item: name } };
    this.serverEvents.push({ atMs: paidMs, event });
  }

  #clickTowards(following: PageKind): void {
    const random = this.#random;
    const { device } = this.#visitor;
    const isBuy = following === 'cart';
    const place = random.integer(1, 12);
    const element = {
      x: isBuy ? '/div.item/button#buy' : `/main/ul/li[${place}]/a`,
      v: isBuy ? '加入购物车' : following === 'item' ? this.#product.name.trim() : PAGES[following].title,
      ...(device.world === 'web' && { h: `${PAGES[following].web}?from=${this.#page!.kind}` }),
      ...(isBuy ? {} : { idx: device.mergesActions ? String(place) : place }),
      ...(random.chance(0.2) && { obj: this.#campaign }),
    };
    const tm = this.#clientMs();
    const scrolls = device.mergesActions && random.chance(0.4) ? [{ x: '/main/tab', v: '详情', idx: '2', tm }] : [];
    this.#addAction('clck', [...scrolls, device.world === 'app' ? { ...element, tm } : element]);
    this.#atMs += 150 + random.waitMs(600);
  }

  #addAction(t: 'clck' | 'chng' | 'sbmt', elements: readonly WireObject[]): void {
    this.#addOfPage(t, { e: elements });
  }

  /** Adds an event of the open page. */
  #addOfPage(t: string, keys: WireObject): void {
    const { device, loginUser } = this.#visitor;
    const { d, ...rest } = this.#place();
    const isBare = device.leavesOutDomain && (t === 'cstm' || t === 'pvar');
    this.#add({
      ...this.#common(t),
      ...{ tm: this.#clientMs(), ptm: this.#page!.tm },
      ...(isBare ? { p: rest.p } : { d, ...rest }),
      ...(loginUser !== null && { cs1: loginUser }),
      ...keys,
    });
    this.#atMs += 20 + this.#random.waitMs(1_500);
  }

  #add(...events: readonly WireObject[]): void {
    for (const event of events) this.clientEvents.push({ atMs: this.#atMs, event });
  }

  #common(t: string): WireObject {
    return { u: this.#visitor.id, s: this.#session, t, ...this.#visitor.device.eventKeys };
  }

  /** The open page's domain, path and query, as this SDK sends them. */
  #place(): { readonly d: string; readonly p: string; readonly q?: string } {
    const { device } = this.#visitor;
    const { path, query } = this.#page!;
    return { d: device.domain, p: path, ...(device.world !== 'app' && { q: query }) };
  }

  #pageOf(kind: PageKind, isEntry: boolean): OpenPage {
    const { world } = this.#visitor.device;
    const path = PAGES[kind][world];
    const query = [
      ...(kind === 'item' ? [`id=${this.#product.id}`] : []),
      ...(isEntry && this.#campaign !== 'none' ? [`utm_campaign=${encodeURIComponent(this.#campaign)}`] : []),
    ].join('&');
    return {
      kind,
      tm: this.#clientMs(),
      query,
      path: world === 'web' && kind === 'item' ? `${path}/${this.#product.id}` : path,
    };
  }

  #referrer(): string {
    return this.#campaign === 'none' ? '' : 'https://search.example/s?wd=%E6%BD%AE%E6%B1%90';
  }

  #variables(variables: WireObject): WireObject {
    if (!this.#visitor.device.sendsTextOnly) return variables;
    return Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, String(value)]));
  }

  /** The device's own clock. */
  #clientMs(): number {
    return this.#atMs + this.#visitor.clockSkewMs;
  }
}

/** The devices that the sample visitors hold: what their SDK says about them in `vst`, and how its events look. */
import type { WireObject } from '../events/column-sources.ts';
import type { Random } from './random.ts';
import { CITIES } from './shop.ts';

/** How an SDK names pages, and what else its events have in common. */
export type Device = {
  /** The word of the collector's path. */
  readonly pathWord: 'web' | 'wap' | 'android' | 'ios' | 'harmonyos' | 'minp';
  readonly world: 'web' | 'app' | 'minp';
  readonly userAgent: string;
  readonly ip: string;
  readonly domain: string;
  /** Keys of `vst` that only this kind of device has. */
  readonly visitKeys: WireObject;
  /** Keys that every event has. */
  readonly eventKeys: WireObject;
  /** Keys of `activate`; absent where there is no app to activate. */
  readonly activationKeys?: WireObject;
  /** The web SDK of 2018 sends cstm and pvar without a domain. */
  readonly leavesOutDomain: boolean;
  /** Mini programs send every variable as text. */
  readonly sendsTextOnly: boolean;
  /** iOS and HarmonyOS send the place in a list as text and several clicks of one page in one event. */
  readonly mergesActions: boolean;
  /** How long events wait to be sent together. */
  readonly flushMs: number;
  readonly city: string;
};

const DESKTOP_AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
];
const PHONE_AGENTS = [
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 13; V2217A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36',
];
const ANDROID_MODELS = [
  { db: 'Xiaomi', dm: '23127PN0CC', osv: 'Android 14', ch: 'xiaomi' },
  { db: 'vivo', dm: 'V2217A', osv: 'Android 13', ch: 'vivo' },
  { db: 'OPPO', dm: 'PHZ110', osv: 'Android 14', ch: '应用宝' },
  { db: 'samsung', dm: 'SM-S9110', osv: 'Android 12', ch: 'samsung' },
];
const IPHONES = ['iPhone13,2', 'iPhone14,5', 'iPhone15,3', 'iPhone16,1'];

const MAKERS = [
  { weight: 26, make: desktopBrowser },
  { weight: 12, make: phoneBrowser },
  { weight: 22, make: androidPhone },
  { weight: 17, make: iPhone },
  { weight: 6, make: harmonyPhone },
  { weight: 17, make: miniProgram },
] as const;

const WEB_TRAITS = {
  world: 'web',
  leavesOutDomain: false,
  sendsTextOnly: false,
  mergesActions: false,
  flushMs: 500,
} as const;
const APP_TRAITS = {
  world: 'app',
  leavesOutDomain: false,
  sendsTextOnly: false,
  mergesActions: false,
  flushMs: 15_000,
} as const;

/** Draws a device. */
export function drawDevice(random: Random): Device {
  return random.pickWeighted(MAKERS).make(random);
}

function desktopBrowser(random: Random): Device {
  return {
    ...WEB_TRAITS,
    pathWord: 'web',
    userAgent: random.pick(DESKTOP_AGENTS),
    ip: drawAddress(random),
    domain: 'www.chaoxi.example',
    visitKeys: { av: '2.1.33', b: 'Web', l: 'zh-cn', sh: 1080, sw: 1920, pt: 'https' },
    eventKeys: {},
    city: random.pick(CITIES).name,
  };
}

function phoneBrowser(random: Random): Device {
  return {
    ...WEB_TRAITS,
    pathWord: 'wap',
    userAgent: random.pick(PHONE_AGENTS),
    ip: drawAddress(random),
    domain: 'm.chaoxi.example',
    visitKeys: { av: '1.0', b: 'Web', l: random.pick(['zh-cn', 'en-us']), sh: 844, sw: 390 },
    eventKeys: {},
    leavesOutDomain: true,
    city: random.pick(CITIES).name,
  };
}

function androidPhone(random: Random): Device {
  const { ch, ...model } = random.pick(ANDROID_MODELS);
  const { name, lat, lng } = random.pick(CITIES);
  const adrid = random.hex(16);
  const userAgent = `Dalvik/2.1.0 (Linux; U; ${model.osv}; ${model.dm})`;
  // From Android 10 on, apps no longer see the IMEI.
  const imei = random.chance(0.1) ? { imei: `86${random.digits(13)}` } : {};
  return {
    ...APP_TRAITS,
    pathWord: 'android',
    userAgent,
    ip: drawAddress(random),
    domain: 'com.chaoxi.shop',
    visitKeys: {
      ...{ av: 'autotrack-2.10.4', os: 'Android', l: 'zh', sh: 2400, sw: 1080, cv: '6.3.1', ph: 1 },
      ...{ ...model, ch, adrid, ...imei, lat, lng },
    },
    eventKeys: { r: random.pick(['WIFI', 'CELL']) },
    activationKeys: { ...imei, adrid, oaid: random.uuid(), ua: userAgent, dm: model.dm, osv: model.osv },
    city: name,
  };
}

function iPhone(random: Random): Device {
  const { name, lat, lng } = random.pick(CITIES);
  const osv = random.pick(['iOS 16.7.2', 'iOS 17.4.1', 'iOS 18.1']);
  const dm = random.pick(IPHONES);
  const iv = random.uuid().toUpperCase();
  // Without consent to tracking, the advertising id is zeros.
  const ui = random.chance(0.3) ? random.uuid().toUpperCase() : '00000000-0000-0000-0000-000000000000';
  return {
    ...APP_TRAITS,
    pathWord: 'ios',
    userAgent: `chaoxi/6.3.0 (${dm}; ${osv}; Scale/3.00)`,
    ip: drawAddress(random),
    domain: 'com.chaoxi.shop.ios',
    visitKeys: {
      ...{ av: '2.9.9', os: 'iOS', osv, db: 'Apple', dm, l: 'zh-Hans-CN', sh: 2532, sw: 1170, cv: '6.3.0', ph: 1 },
      ...{ ui, iv, lat, lng },
    },
    eventKeys: {},
    activationKeys: { ui, iv, dm, osv },
    mergesActions: true,
    city: name,
  };
}

function harmonyPhone(random: Random): Device {
  return {
    ...APP_TRAITS,
    pathWord: 'harmonyos',
    userAgent: 'ArkWeb/5.0 (Phone; HarmonyOS 5.0)',
    ip: drawAddress(random),
    domain: 'com.chaoxi.shop.hmos',
    visitKeys: {
      ...{ av: '2.0.1', os: 'HarmonyOS', osv: 'HarmonyOS 5.0.0', db: 'HUAWEI', dm: 'ALN-AL00', ph: 1 },
      ...{ l: 'zh', sh: 2720, sw: 1260, cv: '6.2.0' },
    },
    eventKeys: {},
    mergesActions: true,
    city: random.pick(CITIES).name,
  };
}

function miniProgram(random: Random): Device {
  const [os, phone] = random.pick([
    ['Weixin-Android', 'HUAWEI P40'],
    ['Weixin-iOS', 'iPhone 13<iPhone14,5>'],
  ] as const);
  return {
    ...APP_TRAITS,
    pathWord: 'minp',
    world: 'minp',
    userAgent: 'Mozilla/5.0 (Linux; Android 12; wv) MicroMessenger/8.0.47 Language/zh_CN ABI/arm64',
    ip: drawAddress(random),
    domain: 'wx0123456789abcdef',
    visitKeys: {
      ...{ av: '2.0.18', os, osv: 'Weixin 8.0.47', db: phone.split(' ')[0], dm: phone, sh: 1600, sw: 750, l: 'zh_CN' },
      ...{ cv: '3.2.1', ch: `scn:${random.pick([1001, 1007, 1011, 1089])}`, nt: 'wifi' },
    },
    eventKeys: { b: 'MinP' },
    sendsTextOnly: true,
    flushMs: 2_000,
    city: random.pick(CITIES).name,
  };
}

function drawAddress(random: Random): string {
  return random.chance(0.1)
    ? `2001:db8::${random.integer(1, 65_536).toString(16)}:${random.integer(1, 65_536).toString(16)}`
    : `${random.pick(['203.0.113', '198.51.100', '192.0.2'])}.${random.integer(1, 255)}`;
}

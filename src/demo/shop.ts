/**
 * The shop that the sample traffic is of: what it sells, what people search and write, what its pages are called.
 *
 * The texts hold what breaks careless CSV readers: commas, quotes, backslashes, line breaks, blanks at the ends, emoji, scripts
 * other than Latin. Everything is made up; domains and addresses are those reserved for examples (RFC 2606, RFC 5737, RFC 3849).
 */

export type Product = {
  readonly id: string;
  readonly name: string;
  readonly category: string;
  readonly price: number;
  readonly weight: number;
};

export const PRODUCTS: readonly Product[] = [
  { id: '1001', name: '红富士苹果 5斤装, 顺丰包邮', category: '水果', price: 39.9, weight: 12 },
  { id: '1002', name: '赣南脐橙（10斤）', category: '水果', price: 59, weight: 9 },
  { id: '1003', name: '丹东草莓 🍓 现摘现发', category: '水果', price: 88.8, weight: 8 },
  { id: '2001', name: '27" 4K 显示器', category: '数码', price: 1899, weight: 5 },
  { id: '2002', name: '移动硬盘 2TB (备份 C:\\ 与 D:\\)', category: '数码', price: 499, weight: 4 },
  { id: '2003', name: 'USB-C 数据线, 1.5 m', category: '数码', price: 19.9, weight: 9 },
  { id: '3001', name: '"轻"系列 羽绒服, 女款', category: '服饰', price: 699, weight: 6 },
  { id: '3002', name: '纯棉 T 恤\n三件装', category: '服饰', price: 99, weight: 8 },
  { id: '4001', name: '绘本《小王子》\r\n精装双语版', category: '图书', price: 45.5, weight: 4 },
  { id: '4002', name: 'Il était une fois… «été»', category: '图书', price: 128, weight: 2 },
  { id: '5001', name: '生日蛋糕 🎂 8 寸', category: '食品', price: 168, weight: 5 },
  { id: '5002', name: ' 手冲咖啡豆 250 g ', category: '食品', price: 76, weight: 6 },
  { id: '5003', name: '家庭装牙刷 👨‍👩‍👧 4 支', category: '日用', price: 29.9, weight: 7 },
];

export const SEARCHES: readonly string[] = [
  '苹果',
  '羽绒服 女',
  '显示器 27"',
  'T恤,短袖',
  'C:\\备份',
  '🎂',
  'コーヒー豆',
  'кофе',
  "children's book",
  '数据线 type-c',
];

export const COMMENTS: readonly string[] = [
  '很好吃，下次还来',
  '包装不错, 送货也快 👍',
  '他说"一般"，我觉得很好',
  '第一行\n第二行\n第三行',
  'it\'s ok, "fine" I guess',
  '说明书在 C:\\docs\\手册.pdf',
  '五星⭐️⭐️⭐️⭐️⭐️',
  '=1+1',
  '',
];

export const CAMPAIGNS: readonly string[] = ['双十二预热', 'spring,sale', 'KOL "小鹿"', '老客回访 50% off', 'none'];
export const CITIES: readonly { readonly name: string; readonly lat: number; readonly lng: number }[] = [
  { name: '北京', lat: 39.90421, lng: 116.40739 },
  { name: '上海', lat: 31.23037, lng: 121.4737 },
  { name: '广州', lat: 23.12911, lng: 113.26439 },
  { name: '成都', lat: 30.57282, lng: 104.06654 },
  { name: '哈尔滨', lat: 45.80216, lng: 126.53584 },
];

/** The kinds of pages, with their names in the three worlds: a path on the web, a class in an app, a file in a mini program. */
export const PAGES = {
  home: { web: '/', app: 'HomePage', minp: 'pages/home/index', title: '潮汐商店 - 首页', group: '导购' },
  search: { web: '/search', app: 'SearchPage', minp: 'pages/search/index', title: '搜索', group: '导购' },
  list: { web: '/list', app: 'CategoryPage', minp: 'pages/list/index', title: '分类', group: '导购' },
  item: { web: '/item', app: 'ItemPage', minp: 'pages/item/index', title: '商品', group: '商品' },
  cart: { web: '/cart', app: 'CartPage', minp: 'pages/cart/index', title: '购物车', group: '交易' },
  checkout: { web: '/checkout', app: 'CheckoutPage', minp: 'pages/checkout/index', title: '确认订单', group: '交易' },
  done: { web: '/order/done', app: 'OrderDonePage', minp: 'pages/done/index', title: '下单成功 🎉', group: '交易' },
} as const;

export type PageKind = keyof typeof PAGES;

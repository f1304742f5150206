/** Tagging rules of a shop for the traffic of action-traffic.ts: of a hundred kinds of clicks twenty fit one. */
import type { RuleDraft } from '../../src/rules/rule.ts';

export const MANY_RULES = 5_000;
/** Of the traffic's clicks, those that have one of these places in their list and the xpath that goes with it. */
const FITTING = 20;

/** Gives the rules: most name an element of one product's page, some of all of them by place, text or link. */
export function manyRules(): readonly RuleDraft[] {
  const none = { domain: null, path: null, query: null, xpath: null, index: null, value: null, href: null };
  return Array.from({ length: MANY_RULES }, (_, place): RuleDraft => {
    const base = { ...none, name: `rule ${place}`, type: 'clck', domain: 'shop.example.test' } as const;
    const xpath = `/div/ul/li/a#buy-${place % 50}`;
    if (place < FITTING) return { ...base, path: '/product/*', xpath, index: (place % 20) + 1 };
    switch (place % 10) {
      case 0:
        return { ...base, path: '/product/*', value: `去购买 ${place}` };
      case 1:
        return { ...base, href: `https://shop.example.test/cart/add?id=${100_000 + place}` };
      case 2:
        return { ...base, path: '/product/*', xpath: `*/a#sell-${place}` };
      case 3:
        return { ...base, path: `/product/${place}`, query: `from=${place}`, xpath };
      default:
        return { ...base, path: `/product/${100_000 + place}`, xpath };
    }
  });
}

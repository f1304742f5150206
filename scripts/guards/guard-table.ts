/** All guards, in the order of an event's way. */
import { ACCESS_GUARDS } from './access-guards.ts';
import { ADS_GUARDS } from './ads-guards.ts';
import { ARRIVAL_GUARDS } from './arrival-guards.ts';
import { ERASURE_GUARDS } from './erasure-guards.ts';
import { EXPORT_GUARDS } from './export-guards.ts';
import type { Guard } from './guard.ts';
import { HOUR_GUARDS } from './hour-guards.ts';
import { LEGACY_GUARDS } from './legacy-guards.ts';
import { LINKING_GUARDS } from './linking-guards.ts';
import { ORDER_GUARDS } from './order-guards.ts';
import { PROOF_GUARDS } from './proof-guards.ts';
import { RULE_GUARDS } from './rule-guards.ts';
import { SETTINGS_GUARDS } from './settings-guards.ts';

export const GUARDS: readonly Guard[] = [
  ...ARRIVAL_GUARDS,
  ...ORDER_GUARDS,
  ...HOUR_GUARDS,
  ...LINKING_GUARDS,
  ...EXPORT_GUARDS,
  ...LEGACY_GUARDS,
  ...PROOF_GUARDS,
  ...ACCESS_GUARDS,
  ...SETTINGS_GUARDS,
  ...RULE_GUARDS,
  ...ADS_GUARDS,
  ...ERASURE_GUARDS,
];

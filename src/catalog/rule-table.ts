/** Tagging rules: written by the CLI and the API, read by every collector. */
import { randomBytes } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import { refuseSlowRules, type RuleSet } from '../rules/rule-set.ts';
import { RULE_LIMITS, type Rule, type RuleDraft } from '../rules/rule.ts';
import type { CatalogDatabase, CatalogTransaction } from './catalog-database.ts';
import { RULE_COLUMNS } from './catalog-schema.ts';
import type { ImportedRule, ListedRule, RuleTable } from './catalog.ts';
import type { RuleCache } from './rule-cache.ts';

/** The rule table of a SQL catalog. */
export class SqlRuleTable implements RuleTable {
  readonly #database: CatalogDatabase;
  readonly #cache: Pick<RuleCache, 'rulesOf'>;

  constructor(database: CatalogDatabase, cache: Pick<RuleCache, 'rulesOf'>) {
    this.#database = database;
    this.#cache = cache;
  }

  async create(ai: string, rule: RuleDraft): Promise<Rule> {
    const [created] = await this.import(ai, [rule]);
    return created!;
  }

  import(ai: string, rules: readonly ImportedRule[]): Promise<readonly Rule[]> {
    return this.#change(ai, async (transaction) => {
      const taken = new Set((await listRules(transaction, ai)).map(({ ruleId }) => ruleId));
      const made: Rule[] = [];
      for (const { ruleId = drawRuleId(taken), ...draft } of rules) {
        if (taken.has(ruleId)) await updateRule(transaction, ai, { ...draft, ruleId });
        else
          await transaction
            .insertInto('rule')
            .values({ ai, rule_id: ruleId, ...columnsOf(draft) })
            .execute();
        taken.add(ruleId);
        made.push({ ...draft, ruleId });
      }
      return made;
    });
  }

  replace(ai: string, ruleId: string, rule: RuleDraft): Promise<Rule> {
    return this.#change(ai, async (transaction) => {
      await updateRule(transaction, ai, { ...rule, ruleId });
      return { ...rule, ruleId };
    });
  }

  async delete(ai: string, ruleId: string): Promise<void> {
    await this.#database.write(async (transaction) => {
      const { numDeletedRows } = await transaction
        .deleteFrom('rule')
        .where('ai', '=', ai)
        .where('rule_id', '=', ruleId)
        .executeTakeFirst();
      if (numDeletedRows === 0n) throw unknownRule(ruleId);
      await markRulesChanged(transaction, ai);
    });
  }

  async find(ai: string, ruleId: string): Promise<Rule | undefined> {
    const found = await this.#database.reader
      .selectFrom('rule')
      .select(RULE_COLUMNS)
      .where('ai', '=', ai)
      .where('rule_id', '=', ruleId)
      .executeTakeFirst();
    if (!found) return undefined;
    const { number: _number, ...rule } = found;
    return rule;
  }

  list(ai: string, page?: { readonly from: number; readonly limit: number }): Promise<readonly ListedRule[]> {
    return listRules(this.#database.reader, ai, page);
  }

  rulesOf(ai: string): RuleSet {
    return this.#cache.rulesOf(ai);
  }

  /** Changes a project's rules, if what comes out is within the limits. */
  #change<Result>(ai: string, change: (transaction: CatalogTransaction) => Promise<Result>): Promise<Result> {
    return this.#database.write(async (transaction) => {
      const project = await transaction.selectFrom('project').select('ai').where('ai', '=', ai).executeTakeFirst();
      if (!project) throw new AppError('unknown_project', `There is no project with the ai ${ai}.`);
      const result = await change(transaction);
      const rules = await listRules(transaction, ai);
      if (rules.length > RULE_LIMITS.rules)
        throw new AppError(
          'rule_limit',
          `A project may have ${RULE_LIMITS.rules} rules; these would be ${rules.length}.`,
        );
      refuseSlowRules(rules);
      await markRulesChanged(transaction, ai);
      return result;
    });
  }
}

function listRules(
  reader: CatalogDatabase['reader'],
  ai: string,
  page?: { readonly from: number; readonly limit: number },
): Promise<readonly ListedRule[]> {
  const rules = reader.selectFrom('rule').select(RULE_COLUMNS).where('ai', '=', ai).orderBy('id');
  return (page ? rules.where('id', '>=', page.from).limit(page.limit) : rules).execute();
}

async function updateRule(transaction: CatalogTransaction, ai: string, { ruleId, ...draft }: Rule): Promise<void> {
  const { numUpdatedRows } = await transaction
    .updateTable('rule')
    .set(columnsOf(draft))
    .where('ai', '=', ai)
    .where('rule_id', '=', ruleId)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw unknownRule(ruleId);
}

/** Every change of a project's rules must do this, or `RuleCache` does not see it. */
async function markRulesChanged(transaction: CatalogTransaction, ai: string): Promise<void> {
  await transaction
    .insertInto('rule_version')
    .values({ ai, version: 1 })
    .onConflict((conflict) =>
      conflict.column('ai').doUpdateSet((row) => ({ version: row('rule_version.version', '+', 1) })),
    )
    .execute();
}

function columnsOf({ name, type, domain, path, query, xpath, index, value, href }: RuleDraft) {
  return { name, type, domain, path, query, xpath, place: index, value, href };
}

function drawRuleId(taken: ReadonlySet<string>): string {
  for (;;) {
    const ruleId = randomBytes(4).toString('hex');
    if (!taken.has(ruleId)) return ruleId;
  }
}

function unknownRule(ruleId: string): AppError {
  return new AppError('unknown_rule', `The project has no rule ${ruleId}.`);
}

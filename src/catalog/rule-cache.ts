/**
 * The compiled rules of the projects that send, in memory, for the collector, which asks at every action and cannot wait.
 *
 * Fresh without asking for itself: `ProjectCache`, which is asked at every request, counts the commits that it notices. After one,
 * the versions of all projects' rules are read, and what is compiled of a project whose version has changed is forgotten. Both are
 * read after the commit was noticed, so a commit in between is noticed at the next request, never lost.
 *
 * Cost: nothing while nothing is committed; a row for each project with rules after a commit; some milliseconds for a thousand
 * rules when they are compiled. Memory: the rules of the projects that were asked for last, up to a number of characters.
 */
import type { StatementSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import { compileRules, NO_RULES, type RuleSet } from '../rules/rule-set.ts';
import { describeRule, type Rule } from '../rules/rule.ts';
import { RULE_COLUMNS } from './catalog-schema.ts';
import type { ProjectCache } from './project-cache.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { withTranslatedErrors } from './sqlite-errors.ts';

/** About ten thousand rules of a hundred projects, or one project whose rules are as long as they may be. */
const MAX_KEPT_CHARACTERS = 100_000_000;
/** What a rule takes besides its texts, in characters. */
const RULE_CHARACTERS = 300;

type Kept = { readonly version: number; readonly rules: RuleSet; readonly characters: number };

export class RuleCache {
  readonly #path: string;
  readonly #projects: Pick<ProjectCache, 'commits'>;
  readonly #readVersions: StatementSync;
  readonly #readRules: StatementSync;
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: MAX_KEPT_CHARACTERS,
    sizeCalculation: ({ characters }) => characters,
  });
  #commits = -1;
  /** Of the projects that have or had rules. */
  #versions: ReadonlyMap<string, number> = new Map();

  constructor(database: SqliteDatabase, projects: Pick<ProjectCache, 'commits'>) {
    const { readerConnection, reader, path } = database;
    this.#path = path;
    this.#projects = projects;
    this.#readVersions = readerConnection.prepare(reader.selectFrom('rule_version').selectAll().compile().sql);
    this.#readRules = readerConnection.prepare(
      reader.selectFrom('rule').select(RULE_COLUMNS).where('ai', '=', '').orderBy('id').compile().sql,
    );
  }

  rulesOf(ai: string): RuleSet {
    const { commits } = this.#projects;
    if (commits !== this.#commits) {
      this.#versions = withTranslatedErrors(this.#path, () => {
        const rows = this.#readVersions.all() as { readonly ai: string; readonly version: number }[];
        return new Map(rows.map((row) => [row.ai, row.version]));
      });
      this.#commits = commits;
    }
    const version = this.#versions.get(ai);
    if (version === undefined) return NO_RULES;
    const kept = this.#kept.get(ai);
    if (kept?.version === version) return kept.rules;
    const fresh = this.#compile(ai, version);
    this.#kept.set(ai, fresh);
    return fresh.rules;
  }

  #compile(ai: string, version: number): Kept {
    const rules = withTranslatedErrors(this.#path, () => this.#readRules.all(ai) as unknown as readonly Rule[]);
    let characters = RULE_CHARACTERS;
    for (const rule of rules) characters += RULE_CHARACTERS + JSON.stringify(describeRule(rule)).length;
    return { version, rules: compileRules(rules), characters };
  }
}

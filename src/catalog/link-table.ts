/**
 * Tracking links, campaigns and channels in a SQL catalog.
 *
 * `find` is asked at every hit on a link and cannot wait: one look-up by primary key on the reading connection, some 10 µs, so it
 * is as fresh as the last commit of any process and needs no copy in memory, however many links there are.
 */
import { randomInt } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import { AppError } from '../errors/app-error.ts';
import type { CatalogReader, CatalogTransaction } from './catalog-database.ts';
import { isAdsId, refuseBadName, refuseBadVariables } from './link-rules.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { withTranslatedErrors } from './sqlite-errors.ts';
import type { AdsLabel, AdsLabelKind, LabelReference, LinkDraft, LinkTable, TrackingLink } from './tracking-link.ts';

const LETTERS_AND_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The API lists them all in one answer. */
const MAX_PER_PROJECT = 20_000;
const PRODUCT_ID_WIDTH = 64;

type LinkRow = {
  readonly linkId: string;
  readonly ai: string;
  readonly name: string;
  readonly target: string;
  readonly campaignId: string | null;
  readonly campaignName: string | null;
  readonly channelId: string | null;
  readonly channelName: string | null;
  readonly productId: string | null;
  readonly variables: string;
  readonly status: 'activated' | 'archived';
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** The link table of a SQL catalog. */
export class SqlLinkTable implements LinkTable {
  readonly #database: SqliteDatabase;
  readonly #findLink: StatementSync;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    const query = selectLinks(database.reader).where('ads_link.link_id', '=', '').compile();
    this.#findLink = database.readerConnection.prepare(query.sql);
  }

  async createLabel(kind: AdsLabelKind, ai: string, name: string, nowMs: number): Promise<AdsLabel> {
    refuseBadName(kind, name);
    return this.#database.write(async (transaction) => {
      await refuseUnknownProject(transaction, ai);
      if (await findLabel(transaction, kind, ai, { name }))
        throw new AppError('name_taken', `There is a ${kind} with the name ${name} already.`);
      return insertLabel(transaction, kind, ai, name, nowMs);
    });
  }

  listLabels(kind: AdsLabelKind, ai: string): Promise<readonly AdsLabel[]> {
    return this.#database.reader
      .selectFrom('ads_label')
      .select(['id', 'name'])
      .where('ai', '=', ai)
      .where('kind', '=', kind)
      .orderBy('created_at_ms')
      .orderBy('id')
      .execute();
  }

  async create(draft: LinkDraft, nowMs: number): Promise<TrackingLink> {
    const { ai, name, target, productId = null, variables = {} } = draft;
    refuseBadName('link', name);
    refuseBadVariables(variables);
    if ((productId?.length ?? 0) > PRODUCT_ID_WIDTH)
      throw new AppError('bad_request', `The productId is longer than ${PRODUCT_ID_WIDTH} characters.`);
    return this.#database.write(async (transaction) => {
      await refuseUnknownProject(transaction, ai);
      await refuseTakenName(transaction, ai, name);
      const campaign = await makeLabel(transaction, 'campaign', draft, nowMs);
      const channel = await makeLabel(transaction, 'channel', draft, nowMs);
      const linkId = drawId();
      await transaction
        .insertInto('ads_link')
        .values({
          link_id: linkId,
          ai,
          name,
          target,
          campaign_id: campaign?.id ?? null,
          channel_id: channel?.id ?? null,
          product_id: productId,
          variables: JSON.stringify(variables),
          status: 'activated',
          created_at_ms: nowMs,
          updated_at_ms: nowMs,
        })
        .execute();
      const times = { createdAtMs: nowMs, updatedAtMs: nowMs };
      return { linkId, ai, name, target, campaign, channel, productId, variables, status: 'activated', ...times };
    });
  }

  async list(ai: string): Promise<readonly TrackingLink[]> {
    const rows = await selectLinks(this.#database.reader)
      .where('ads_link.ai', '=', ai)
      .where('ads_link.status', '=', 'activated')
      .orderBy('ads_link.created_at_ms')
      .orderBy('ads_link.link_id')
      .execute();
    return rows.map(linkOf);
  }

  async archive(ai: string, linkId: string, nowMs: number): Promise<TrackingLink> {
    return this.#database.write(async (transaction) => {
      const found = await selectLinks(transaction)
        .where('ads_link.link_id', '=', linkId)
        .where('ads_link.ai', '=', ai)
        .where('ads_link.status', '=', 'activated')
        .executeTakeFirst();
      if (!found) throw new AppError('unknown_link', `Project ${ai} has no link ${linkId}.`);
      const changes = { status: 'archived', updated_at_ms: nowMs } as const;
      await transaction.updateTable('ads_link').set(changes).where('link_id', '=', linkId).execute();
      return { ...linkOf(found), status: 'archived', updatedAtMs: nowMs };
    });
  }

  find(linkId: string): TrackingLink | undefined {
    if (!isAdsId(linkId)) return undefined;
    const row = withTranslatedErrors(this.#database.path, () => this.#findLink.get(linkId));
    return row && linkOf(row as LinkRow);
  }
}

function selectLinks(reader: CatalogReader) {
  return reader
    .selectFrom('ads_link')
    .leftJoin('ads_label as campaign', 'campaign.id', 'ads_link.campaign_id')
    .leftJoin('ads_label as channel', 'channel.id', 'ads_link.channel_id')
    .select([
      'ads_link.link_id as linkId',
      'ads_link.ai',
      'ads_link.name',
      'ads_link.target',
      'ads_link.campaign_id as campaignId',
      'campaign.name as campaignName',
      'ads_link.channel_id as channelId',
      'channel.name as channelName',
      'ads_link.product_id as productId',
      'ads_link.variables',
      'ads_link.status',
      'ads_link.created_at_ms as createdAtMs',
      'ads_link.updated_at_ms as updatedAtMs',
    ]);
}

function linkOf(row: LinkRow): TrackingLink {
  const { campaignId, campaignName, channelId, channelName, variables, ...rest } = row;
  return {
    ...rest,
    campaign: campaignId === null || campaignName === null ? null : { id: campaignId, name: campaignName },
    channel: channelId === null || channelName === null ? null : { id: channelId, name: channelName },
    variables: JSON.parse(variables) as Record<string, string>,
  };
}

/** Finds the label that a draft names, or makes it. @throws AppError unknown_label, bad_name */
async function makeLabel(
  transaction: CatalogTransaction,
  kind: AdsLabelKind,
  draft: LinkDraft,
  nowMs: number,
): Promise<AdsLabel | null> {
  const reference = draft[kind];
  if (reference === undefined) return null;
  const found = await findLabel(transaction, kind, draft.ai, reference);
  if (found) return found;
  if ('id' in reference)
    throw new AppError('unknown_label', `The project has no ${kind} with the id ${reference.id.slice(0, 40)}.`);
  refuseBadName(kind, reference.name);
  return insertLabel(transaction, kind, draft.ai, reference.name, nowMs);
}

async function findLabel(
  transaction: CatalogTransaction,
  kind: AdsLabelKind,
  ai: string,
  reference: LabelReference,
): Promise<AdsLabel | undefined> {
  return transaction
    .selectFrom('ads_label')
    .select(['id', 'name'])
    .where('ai', '=', ai)
    .where('kind', '=', kind)
    .where((row) => ('id' in reference ? row('id', '=', reference.id) : row('name', '=', reference.name)))
    .executeTakeFirst();
}

async function insertLabel(
  transaction: CatalogTransaction,
  kind: AdsLabelKind,
  ai: string,
  name: string,
  nowMs: number,
): Promise<AdsLabel> {
  const { count } = await transaction
    .selectFrom('ads_label')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('ai', '=', ai)
    .where('kind', '=', kind)
    .executeTakeFirstOrThrow();
  refuseTooMany(count, kind);
  const label = { id: drawId(), name };
  await transaction
    .insertInto('ads_label')
    .values({ ...label, ai, kind, created_at_ms: nowMs })
    .execute();
  return label;
}

/** @throws AppError name_taken, too_many_links */
async function refuseTakenName(transaction: CatalogTransaction, ai: string, name: string): Promise<void> {
  const living = transaction.selectFrom('ads_link').where('ai', '=', ai).where('status', '=', 'activated');
  if (await living.select('link_id').where('name', '=', name).executeTakeFirst())
    throw new AppError('name_taken', `There is a link with the name ${name} already.`);
  const { count } = await living.select((row) => row.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  refuseTooMany(count, 'link');
}

function refuseTooMany(count: number, what: string): void {
  if (count >= MAX_PER_PROJECT)
    throw new AppError('too_many_links', `The project has ${count} ${what}s already, which is as many as it may have.`);
}

async function refuseUnknownProject(transaction: CatalogTransaction, ai: string): Promise<void> {
  if (!(await transaction.selectFrom('project').select('ai').where('ai', '=', ai).executeTakeFirst()))
    throw new AppError('unknown_project', `There is no project ${ai}.`);
}

function drawId(): string {
  return Array.from({ length: 8 }, () => LETTERS_AND_DIGITS[randomInt(LETTERS_AND_DIGITS.length)]).join('');
}

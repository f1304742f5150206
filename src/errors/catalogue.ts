/**
 * Every error a person or a client can meet: its stable code, its HTTP status, and what to do about it.
 *
 * docs/errors.md is made from this table. Codes are never renamed; a message may change.
 */
export const ERROR_CATALOGUE = {
  // What a client sent
  bad_request: { status: 400, advice: 'Correct the request as the message says.' },
  undecodable_body: {
    status: 400,
    advice: 'Send a JSON array of events, plain or in the coding that the codec headers name (docs/wire-codings.md).',
  },
  rule_invalid: { status: 400, advice: 'Correct what the message names; docs/rules.md has what a rule may hold.' },
  too_deep: { status: 400, advice: 'Send events nested at most 64 levels deep.' },
  link_refused: { status: 403, advice: 'Ask the export call for a fresh link; links expire and may not be changed.' },
  unknown_project: { status: 404, advice: 'Use the ai that `tidegate project list` shows.' },
  unknown_rule: { status: 404, advice: 'Use a ruleId that `tidegate rule list` shows.' },
  not_found: { status: 404, advice: 'Check the path against docs/api.md.' },
  no_manifest: {
    status: 404,
    advice: 'Ask for an hour that is FINISHED and kept; the export call says how far an hour is.',
  },
  hour_unreadable: { status: 404, advice: 'Ask for an hour that has ended and is within retention.' },
  unknown_receipt: {
    status: 404,
    advice: 'Use the receiptId that the request for the erasure was answered with, and its project.',
  },
  method_not_allowed: { status: 405, advice: 'Use the method that docs/api.md gives for this path.' },
  package_gone: { status: 410, advice: 'The package was removed by retention or erasure; ask the export call again.' },
  too_large: { status: 413, advice: 'Send smaller batches; docs/configuration.md has the limits.' },
  too_many_requests: { status: 429, advice: 'Wait as long as Retry-After says.' },
  // What the server could not do
  internal: { status: 500, advice: 'Look at the server log for this request id.' },
  overloaded: {
    status: 503,
    advice: 'Try again as Retry-After says; the server holds as many bytes in flight as it may.',
  },
  store_unavailable: {
    status: 503,
    advice: 'Try again soon, over HTTP as Retry-After says; the operator should look at the disk and /readyz.',
  },
  // What an operator asked for
  rule_limit: { status: 409, advice: 'Remove rules, or give them more conditions; docs/rules.md has the limits.' },
  project_exists: { status: 409, advice: 'Choose another ai or uid, or use the project that has it.' },
  hour_open: { status: 409, advice: 'Only hours that have ended can be filled.' },
  hour_holds_rows: {
    status: 409,
    advice: 'Import only into hours without rows; this hour already has a manifest with rows.',
  },
  hour_out_of_range: { status: 409, advice: 'Take hours after exportEnabledAt and within retention.' },
  hour_failed: { status: 409, advice: 'Mend what the message names, then run `tidegate export retry`.' },
  backfill_incomplete: {
    status: 500,
    advice: 'Mend what the message names, and run the command again; hours that are done are left alone.',
  },
  retry_refused: { status: 409, advice: 'Retry an hour that is in ERROR; for any other there is nothing to do.' },
  folder_not_empty: { status: 409, advice: 'Name a folder that is empty or not there yet.' },
  backup_failed: { status: 500, advice: 'Mend what the message names, and begin again; nothing is left of this try.' },
  backup_invalid: { status: 500, advice: 'Use another backup; this one did not end, or was changed afterwards.' },
  erasure_unfinished: {
    status: 500,
    advice: 'A server that runs on the data directory goes on with it; `tidegate erase status` says how far it is.',
  },
  import_invalid: { status: 400, advice: 'Correct the named line; nothing of this import was taken.' },
  replay_invalid: {
    status: 400,
    advice: 'Correct the named line and run the command again; what it had sent is not sent twice.',
  },
  replay_refused: { status: 409, advice: 'Do what the message names first; nothing was sent.' },
  // What was said of tracking links
  bad_name: {
    status: 400,
    advice: 'Use at most 50 characters: letters, digits, Chinese characters and - / _ and comma.',
  },
  bad_variables: { status: 400, advice: 'Correct the variables as the message says (docs/ads.md).' },
  link_target_refused: {
    status: 400,
    advice: 'Use an http or https address, or an app scheme that the operator allows with --link-schemes.',
  },
  unknown_label: { status: 404, advice: 'Use the id of a campaign or channel of this project, or make one first.' },
  unknown_link: { status: 404, advice: 'Check the address; the link does not exist, or was removed.' },
  name_taken: { status: 409, advice: 'Choose another name, or use what has it.' },
  too_many_links: { status: 409, advice: 'Remove links that are not used any more.' },
  // What the disk held
  store_corrupt: {
    status: 500,
    advice: 'Restore the named file from a backup, or keep it and report it; no rows of it were exported.',
  },
  ledger_unbalanced: {
    status: 500,
    advice:
      'Rows of this hour were lost or doubled on disk; nothing of it was published. Restore the data directory, or report it.',
  },
  verification_failed: {
    status: 500,
    advice: 'Restore the named files from a backup, or download them again; report what you cannot explain.',
  },
  format_too_new: {
    status: 500,
    advice: 'Run the version of tidegate that wrote this data directory, or a newer one.',
  },
  data_directory: { status: 500, advice: 'Check --data, and that this user can write there.' },
} as const satisfies Record<string, { status: number; advice: string }>;

/** A stable name of one kind of error. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

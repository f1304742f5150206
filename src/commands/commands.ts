/** Every subcommand, in the order in which `--help` and docs/configuration.md list them. */
import { backupCommand } from './backup.ts';
import type { Command } from './command.ts';
import { eraseBackupCommand } from './erase-backup.ts';
import { eraseCommand, eraseStatusCommand } from './erase.ts';
import { exportRetryCommand } from './export-retry.ts';
import { importCommand } from './import.ts';
import { ledgerCommand } from './ledger.ts';
import { linkAddCommand, linkListCommand, linkRemoveCommand } from './links.ts';
import { projectHistoryCommand, projectSetCommand } from './project-settings.ts';
import { projectCreateCommand, projectListCommand, projectShowCommand } from './projects.ts';
import { rejectedDownloadCommand, rejectedListCommand, rejectedReplayCommand } from './rejected.ts';
import { restoreCommand } from './restore.ts';
import { ruleBackfillCommand } from './rule-backfill.ts';
import { ruleAddCommand, ruleImportCommand, ruleListCommand, ruleRemoveCommand, ruleSetCommand } from './rules.ts';
import { serveCommand } from './serve.ts';
import { verifyCommand } from './verify.ts';

export const COMMANDS: readonly Command[] = [
  serveCommand,
  projectCreateCommand,
  projectListCommand,
  projectShowCommand,
  projectSetCommand,
  projectHistoryCommand,
  linkAddCommand,
  linkListCommand,
  linkRemoveCommand,
  importCommand,
  ruleAddCommand,
  ruleListCommand,
  ruleSetCommand,
  ruleRemoveCommand,
  ruleImportCommand,
  ruleBackfillCommand,
  ledgerCommand,
  verifyCommand,
  exportRetryCommand,
  rejectedListCommand,
  rejectedDownloadCommand,
  rejectedReplayCommand,
  eraseStatusCommand,
  eraseBackupCommand,
  eraseCommand,
  backupCommand,
  restoreCommand,
];

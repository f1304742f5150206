/** Every subcommand, in the order in which `--help` and docs/configuration.md list them. */
import { backupCommand } from './backup.ts';
import type { Command } from './command.ts';
import { eraseBackupCommand } from './erase-backup.ts';
import { eraseCommand, eraseStatusCommand } from './erase.ts';
import { exportRetryCommand } from './export-retry.ts';
import { importCommand } from './import.ts';
import { ledgerCommand } from './ledger.ts';
import { projectCreateCommand, projectListCommand, projectShowCommand } from './projects.ts';
import { restoreCommand } from './restore.ts';
import { serveCommand } from './serve.ts';
import { verifyCommand } from './verify.ts';

export const COMMANDS: readonly Command[] = [
  serveCommand,
  projectCreateCommand,
  projectListCommand,
  projectShowCommand,
  importCommand,
  ledgerCommand,
  verifyCommand,
  exportRetryCommand,
  eraseStatusCommand,
  eraseBackupCommand,
  eraseCommand,
  backupCommand,
  restoreCommand,
];

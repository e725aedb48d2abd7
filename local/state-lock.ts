/**
 * One local run per state directory: two would share a database and not a queue. The lock is SQLite's,
 * held by an open transaction, so the system lets go of it however this process ends.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LaunchError } from '../terminal/launch-error.ts';

/** @returns what releases it. @throws LaunchError when another run holds it */
export function lockState(stateDir: string): () => void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path.join(stateDir, 'run.lock'));
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch {
    database.close();
    throw new LaunchError(`another local run uses ${path.relative('.', stateDir) || '.'}; stop it first`);
  }
  return () => {
    if (database.isOpen) database.close();
  };
}

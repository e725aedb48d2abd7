/**
 * Bodies in the bucket that nothing leads to: of an acceptance or a deletion that a crash cut short, of a result that came
 * too late, of an upload that no task took. A walk over the bucket in the order of names finds them, one list a round, and
 * rests when it was round: a list is what R2 calls a class A operation ($4.50 a million).
 */
import { deleteBodies } from '../../shared/bodies/delete-bodies.ts';
import { type BodyOwner, ownerOf } from '../../shared/bodies/object-key.ts';
import { type BodyOwnerRow, readBodyOwners } from '../../shared/store/body-owners.ts';
import { readScanPosition, writeScanPosition } from '../../shared/store/carrier.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import { isTerminal } from '../../shared/task/status.ts';
import type { CallbackEnv } from '../env.ts';

const POSITION_NAME = 'bodies';
const OBJECTS = 1_000;

const HOUR_MS = 3_600_000;

/** Between two walks. */
const REST_MS = HOUR_MS;

/** What is younger may be on its way to a row. */
const YOUNG_MS = HOUR_MS;

/** An upload is submitted within a day, or not at all. */
const UPLOAD_MS = 25 * HOUR_MS;

/** Stands before all names while the walk rests. */
const RESTING = '~';

interface StoredObject {
  readonly key: string;
  readonly uploadedAt: number;
  readonly owner: BodyOwner;
  /** The task that it belongs to; undefined for an upload that none has taken. */
  readonly task: string | undefined;
}

/** @returns how many were deleted */
export async function sweepOrphans(
  { bodies, stores, retentionMs }: Pick<CallbackEnv, 'bodies' | 'stores' | 'retentionMs'>,
  now: number,
): Promise<number> {
  if (bodies === undefined) return 0;
  const position = await readScanPosition(stores.control, POSITION_NAME);
  if (position.startsWith(RESTING) && now < Number(position.slice(RESTING.length))) return 0;
  const after = position.startsWith(RESTING) ? '' : position;
  const listed = await bodies.list({
    limit: OBJECTS,
    include: ['customMetadata'],
    ...(after !== '' && { startAfter: after }),
  });
  const page = withoutSplitUpload(listed.objects, listed.truncated);
  const objects = storedObjects(page);
  const ids = [...new Set(objects.flatMap(({ task }) => (task !== undefined && stores.has(task) ? [task] : [])))];
  const rows = await stores.collect(ids, (id) => id, readBodyOwners);
  const known = new Map(rows.map((row) => [row.id, row]));
  const orphans = objects.filter((object) => {
    const { task } = object;
    // A store is removed when its last row is gone; until that row would be gone anyway, nobody knows.
    if (task !== undefined && !stores.has(task)) return taskCreatedAt(task) < now - retentionMs;
    return isOrphan(object, task === undefined ? undefined : known.get(task), now);
  });
  await deleteBodies(
    bodies,
    orphans.map(({ key }) => key),
  );
  const next = listed.truncated ? (page.at(-1)?.key ?? after) : `${RESTING}${now + REST_MS}`;
  await writeScanPosition(stores.control, POSITION_NAME, next);
  return orphans.length;
}

/** Whether nothing leads to it. Pure. */
function isOrphan({ key, uploadedAt, owner, task }: StoredObject, row: BodyOwnerRow | undefined, now: number): boolean {
  const ageMs = now - uploadedAt;
  if (ageMs < YOUNG_MS) return false;
  if (task === undefined) return ageMs >= UPLOAD_MS;
  if (row === undefined || row.bodies_deleted_at !== null) return true;
  if (owner.kind === 'upload' && !owner.isPayload) return false;
  if (owner.isPayload) return row.payload !== key;
  return row.result !== key && isTerminal(row.status);
}

/** What says which task took an upload stands right behind it: both are looked at together. */
function withoutSplitUpload(objects: readonly R2Object[], isTruncated: boolean): readonly R2Object[] {
  const last = objects.at(-1);
  const owner = last && ownerOf(last.key);
  return isTruncated && owner?.kind === 'upload' && owner.isPayload ? objects.slice(0, -1) : objects;
}

/** What has another name is not ours. */
function storedObjects(objects: readonly R2Object[]): StoredObject[] {
  const taken = new Map<string, string>();
  for (const { key, customMetadata } of objects) {
    const owner = ownerOf(key);
    if (owner?.kind === 'upload' && customMetadata?.task !== undefined) taken.set(owner.upload, customMetadata.task);
  }
  return objects.flatMap(({ key, uploaded }) => {
    const owner = ownerOf(key);
    if (owner === undefined) return [];
    const task = owner.kind === 'task' ? owner.task : taken.get(owner.upload);
    return [{ key, uploadedAt: uploaded.getTime(), owner, task }];
  });
}

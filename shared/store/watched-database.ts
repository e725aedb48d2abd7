/**
 * A database that notes what every answer says of it for nothing: its size (`meta.size_after`), and that it
 * answers at all. What it does is what D1 does; a statement that D1 refuses is an answer too.
 */

export class Gauge {
  /** As of the last answer that told it. */
  sizeBytes: number | undefined;
  /** What has been accepted for it since then, as far as whoever holds this gauge knows. */
  reservedBytes = 0;
  /** Unix ms; 0: never. */
  answeredAt = 0;
  failedAt = 0;
  /** Questions that failed since the last answer. */
  failures = 0;
  /** When somebody last asked only to know. */
  askedAt = 0;

  /** The last question to it failed. */
  get isAway(): boolean {
    return this.failedAt > this.answeredAt;
  }

  noteAnswer(sizeAfter: number | undefined, now: number): void {
    if (sizeAfter !== undefined) {
      this.sizeBytes = sizeAfter;
      this.reservedBytes = 0;
    }
    this.failures = 0;
    // At the same millisecond the later answer counts.
    this.answeredAt = Math.max(now, this.failedAt);
  }

  noteFailure(error: unknown, now: number): void {
    if (isRefusal(error)) this.noteAnswer(undefined, now);
    else {
      this.failures += 1;
      this.failedAt = Math.max(now, this.answeredAt + 1);
    }
  }
}

/** D1 read the statement and said no. */
function isRefusal(error: unknown): boolean {
  return /SQLITE_(?:CONSTRAINT|ERROR|MISMATCH|RANGE|TOOBIG)|constraint failed|syntax error/i.test(String(error));
}

export function watchedDatabase(db: D1Database, gauge: Gauge): D1Database {
  const observe = async <Answer extends object>(asked: Promise<Answer>): Promise<Answer> => {
    try {
      const answer = await asked;
      const last = (Array.isArray(answer) ? answer.at(-1) : answer) as D1Result | undefined;
      gauge.noteAnswer(last?.meta.size_after, Date.now());
      return answer;
    } catch (error) {
      gauge.noteFailure(error, Date.now());
      throw error;
    }
  };
  const statements = new WeakMap<object, D1PreparedStatement>();
  const watched = (statement: D1PreparedStatement) => {
    const wrapped = {
      bind: (...values: unknown[]) => watched(statement.bind(...values)),
      all: <Row>() => observe(statement.all<Row>()),
      run: <Row>() => observe(statement.run<Row>()),
      // D1's own `first` does not tell what the answer says of the database.
      first: async <Row>(column?: string) => {
        const { results } = await observe(statement.all<Record<string, unknown>>());
        const [row] = results;
        if (row === undefined) return null;
        return (column === undefined ? row : row[column]) as Row;
      },
    };
    statements.set(wrapped, statement);
    return wrapped as unknown as D1PreparedStatement;
  };
  return {
    prepare: (sql: string) => {
      try {
        return watched(db.prepare(sql));
      } catch (error) {
        gauge.noteFailure(error, Date.now());
        throw error;
      }
    },
    batch: <Row>(all: D1PreparedStatement[]) =>
      observe(db.batch<Row>(all.map((statement) => statements.get(statement) ?? statement))),
  } as unknown as D1Database;
}

/**
 * A database that notes what every answer says of it for nothing: its size (`meta.size_after`), and that it
 * answers at all. What it does is what D1 does; a statement that D1 refuses is an answer too.
 */

export class Gauge {
  /** As of the last answer that told it. */
  sizeBytes: number | undefined;
  /** What has been accepted for it since then, as far as whoever holds this gauge knows. */
  promisedBytes = 0;
  /** Unix ms; 0: never. */
  heardAt = 0;
  failedAt = 0;
  /** When somebody last asked only to know. */
  askedAt = 0;

  /** The last thing heard of it is that it did not answer. */
  get isAway(): boolean {
    return this.failedAt > this.heardAt;
  }

  noteAnswer(sizeAfter: number | undefined, now: number): void {
    if (sizeAfter !== undefined) {
      this.sizeBytes = sizeAfter;
      this.promisedBytes = 0;
    }
    // At the same millisecond the later word counts.
    this.heardAt = Math.max(now, this.failedAt);
  }

  noteFailure(error: unknown, now: number): void {
    if (isRefusal(error)) this.noteAnswer(undefined, now);
    else this.failedAt = Math.max(now, this.heardAt + 1);
  }
}

/** D1 read the statement and said no. */
function isRefusal(error: unknown): boolean {
  return /SQLITE_(?:CONSTRAINT|ERROR|MISMATCH|RANGE|TOOBIG)|constraint failed|syntax error/i.test(String(error));
}

export function watchedDatabase(db: D1Database, gauge: Gauge): D1Database {
  const hear = async <Answer extends object>(answer: Promise<Answer>): Promise<Answer> => {
    try {
      const heard = await answer;
      const last = (Array.isArray(heard) ? heard.at(-1) : heard) as D1Result | undefined;
      gauge.noteAnswer(last?.meta.size_after, Date.now());
      return heard;
    } catch (error) {
      gauge.noteFailure(error, Date.now());
      throw error;
    }
  };
  const statements = new WeakMap<object, D1PreparedStatement>();
  const watched = (statement: D1PreparedStatement) => {
    const wrapped = {
      bind: (...values: unknown[]) => watched(statement.bind(...values)),
      all: <Row>() => hear(statement.all<Row>()),
      run: <Row>() => hear(statement.run<Row>()),
      // D1's own `first` keeps what it hears of the database to itself.
      first: async <Row>(column?: string) => {
        const { results } = await hear(statement.all<Record<string, unknown>>());
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
      hear(db.batch<Row>(all.map((statement) => statements.get(statement) ?? statement))),
  } as unknown as D1Database;
}

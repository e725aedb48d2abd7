/**
 * Stores that can be taken away: while one is, every statement to it fails as D1 does when it is not
 * reached. The real Workers run unchanged behind it.
 */

let away: ReadonlySet<string> = new Set();

/** @param request `?away=TASK_DB_1,…`: what does not answer from now on */
export function setGate(request: Request): Response {
  const names = new URL(request.url).searchParams.get('away') ?? '';
  away = new Set(names.split(',').filter((name) => name !== ''));
  return Response.json({ away: [...away] });
}

const gated = new WeakMap<object, object>();

/** `env` with gated stores; the same object for the same `env`, as Workers keep things by it. */
export function gatedEnv<Env extends object>(env: Env): Env {
  const known = gated.get(env);
  if (known !== undefined) return known as Env;
  const wrapped = Object.fromEntries(
    Object.entries(env).map(([name, binding]) => [name, name.startsWith('TASK_DB_') ? gate(name, binding) : binding]),
  );
  gated.set(env, wrapped);
  return wrapped as Env;
}

function gate(name: string, db: D1Database): D1Database {
  const reach = async <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
    if (away.has(name)) throw new Error('D1_ERROR: Network connection lost.');
    return ask();
  };
  const inner = new WeakMap<object, D1PreparedStatement>();
  const statement = (real: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = {
      bind: (...values: unknown[]) => statement(real.bind(...values)),
      all: () => reach(() => real.all()),
      run: () => reach(() => real.run()),
    };
    inner.set(wrapped, real);
    return wrapped as unknown as D1PreparedStatement;
  };
  return {
    prepare: (sql: string) => statement(db.prepare(sql)),
    batch: (all: D1PreparedStatement[]) => reach(() => db.batch(all.map((each) => inner.get(each) ?? each))),
  } as unknown as D1Database;
}

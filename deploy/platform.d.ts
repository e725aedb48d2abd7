/** Global types of the platform that modules of shared/ name, for the Node code that imports them. */
type CryptoKey = import('node:crypto').webcrypto.CryptoKey;
type D1Database = import('@cloudflare/workers-types').D1Database;
type D1PreparedStatement = import('@cloudflare/workers-types').D1PreparedStatement;
type D1Result<Row = unknown> = import('@cloudflare/workers-types').D1Result<Row>;
type DurableObjectNamespace = import('@cloudflare/workers-types').DurableObjectNamespace;
type Queue<Body = unknown> = import('@cloudflare/workers-types').Queue<Body>;
type R2Bucket = import('@cloudflare/workers-types').R2Bucket;
type SqlStorage = import('@cloudflare/workers-types').SqlStorage;
type HeadersInit = ConstructorParameters<typeof Headers>[0];

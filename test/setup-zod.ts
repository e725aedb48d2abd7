/**
 * Before each test file: zod as the producer extends it. Files share a process, and shared schemas that one
 * without the producer had made would lack what the next, with the producer, needs.
 */
import '@hono/zod-openapi';

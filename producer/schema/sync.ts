/** Parameters and body of the synchronous route. */
import { z } from '@hono/zod-openapi';

export const CallParamsSchema = z.object({
  name: z.string().openapi({ param: { name: 'name', in: 'path' }, description: 'The service.', example: 'echo' }),
  path: z.string().openapi({
    param: { name: 'path', in: 'path' },
    description: "Below the service; may hold slashes. The service's default path when empty.",
    example: 'v1/chat/completions',
  }),
});

/** Whatever the backend takes; shown as JSON, because most do. */
export const CALL_BODY = {
  content: { 'application/json': { schema: z.unknown(), example: { messages: [{ role: 'user', content: 'hello' }] } } },
  required: false,
};

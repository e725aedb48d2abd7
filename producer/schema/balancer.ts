/** How calls are spread over servers, and the change of it. */
import { z } from '@hono/zod-openapi';
import { BALANCING_ALGORITHMS } from '../../shared/service/definition.ts';
import { ServiceNameSchema } from './service.ts';

export const BalancerSchema = z
  .object({
    services: z.array(
      z.object({
        service: z.string(),
        algorithm: z.enum(BALANCING_ALGORITHMS),
        servers: z.array(
          z.object({
            id: z.string(),
            url: z.string(),
            picked: z.number().int().openapi({ description: 'Calls that it was given since the registry started.' }),
            inFlight: z.number().int(),
          }),
        ),
      }),
    ),
  })
  .openapi('LoadBalancer', {
    example: {
      services: [
        {
          service: 'ocr',
          algorithm: 'least-connections',
          servers: [{ id: 'srv_0a1b2c3d4e5f6g7h', url: 'https://ocr-1.example.net', picked: 120, inFlight: 3 }],
        },
      ],
    },
  });

export const AlgorithmChangeSchema = z
  .strictObject({ service: ServiceNameSchema, algorithm: z.enum(BALANCING_ALGORITHMS) })
  .openapi('AlgorithmChange', { example: { service: 'ocr', algorithm: 'peak-ewma' } });

/** What a task asks of the server that runs it; part of its request, so that wake-ups know it too. */
import * as z from 'zod';

const MAX_CAPABILITIES = 64;

export const LABEL_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;

export const TierSchema = z.number().int().min(0).max(100);

const CapabilitySchema = z.union([z.string().max(255), z.number(), z.boolean()]);
export const CapabilitiesSchema = z
  .record(
    z.string().regex(LABEL_PATTERN, 'a capability is up to 63 letters, digits, dots and dashes'),
    CapabilitySchema,
  )
  .refine((all) => Object.keys(all).length <= MAX_CAPABILITIES, `at most ${MAX_CAPABILITIES} capabilities`);
export type Capabilities = z.output<typeof CapabilitiesSchema>;

export const ServerRequirementsSchema = z.object({
  /** Tasks of the same key go to the same server while it is there (balancing `sticky`). */
  affinityKey: z.string().max(255).optional(),
  /** Only servers with all of these capabilities. */
  capabilities: CapabilitiesSchema.optional(),
  /** Only servers of this tier. */
  tier: TierSchema.optional(),
});
export type ServerRequirements = z.output<typeof ServerRequirementsSchema>;

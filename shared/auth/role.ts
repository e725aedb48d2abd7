/** The roles of tokens. What each may do is a column of `producer/access.ts`. */
export const ROLES = ['admin', 'client', 'server', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

/**
 * Tasklane's tokens: JWTs with a subject, one of the roles, an optional `jti` by which they can be
 * revoked, an end, and what limits them further: `services`, `read`. HS256 with the deployment's secret (the previous one is accepted while it is
 * rotated out), or asymmetric algorithms with the keys behind a JWKS URL. The family of the algorithm
 * decides which keys are tried, so a public key can never pass for a shared secret.
 */
import {
  base64url,
  createRemoteJWKSet,
  decodeProtectedHeader,
  errors,
  type JWTVerifyGetKey,
  jwtVerify,
  SignJWT,
} from 'jose';
import * as z from 'zod';
import { SERVICE_NAME_PATTERN } from '../service/definition.ts';
import { ROLES, type Role } from './role.ts';

/** Who sends a request. Plain data: it is kept between requests. */
export interface Principal {
  readonly subject: string;
  readonly role: Role;
  readonly jti: string | undefined;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** The token is good for these services alone; undefined: for all. */
  readonly services?: readonly string[] | undefined;
  /** The token may look, whatever its role may do. */
  readonly readsOnly?: true | undefined;
}

/** What tokens are checked against. At least one of `secrets` and `keySet` is there. */
export interface TokenKeys {
  /** The current secret, then the previous one. */
  readonly secrets: readonly Uint8Array[];
  readonly keySet: JWTVerifyGetKey | undefined;
  /** What tokens signed by the key set must name; nothing is asked when absent. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

export type TokenCheck =
  | { readonly ok: true; readonly principal: Principal }
  /** `invalid`: refuse it. `unreachable`: the key set did not answer, so nobody knows. */
  | { readonly ok: false; readonly code: 'invalid' | 'unreachable'; readonly reason: string };

const ASYMMETRIC = [
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
];

/** Clocks of issuers differ from ours, by a minute where nothing sets them. */
const CLOCK_TOLERANCE_SECONDS = 60;

/** Ten years. A token that would be good for longer is a mistake, and could outlive its revocation. */
export const MAX_TOKEN_LIFETIME_SECONDS = 10 * 365 * 86_400;

/** 8 KB, which is also about what servers accept as one header. */
const MAX_TOKEN_CHARS = 8192;

const MAX_TOKEN_SERVICES = 100;

const ClaimsSchema = z.object({
  // A subject travels in messages and rows and into the MAC of task ids: bounded, printable, no lone surrogates.
  sub: z
    .string()
    .min(1)
    .max(255)
    .refine((sub) => sub.isWellFormed() && !/\p{Cc}/u.test(sub)),
  role: z.enum(ROLES),
  jti: z.string().min(1).max(255).optional(),
  // What limits a token and cannot be read makes it wrong: ignored, it would be good for more than it says.
  services: z.array(z.string().regex(SERVICE_NAME_PATTERN)).min(1).max(MAX_TOKEN_SERVICES).optional(),
  read: z.boolean().optional(),
  exp: z.number(),
  iat: z.number().optional(),
});

/** What a token could not say, or undefined: checked where it is made, so that nobody finds out where it is used. */
export function claimsFault(claims: TokenClaims): string | undefined {
  const issue = ClaimsSchema.omit({ exp: true }).safeParse(claims).error?.issues[0];
  return issue === undefined ? undefined : `${issue.path.join('.')}: ${issue.message}`;
}

export function remoteKeySet(url: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(url));
}

export function secretBytes(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}

export async function verifyToken(keys: TokenKeys, token: string, now: number): Promise<TokenCheck> {
  if (token.length > MAX_TOKEN_CHARS) return invalid('The token is too long.');
  const algorithm = algorithmOf(token);
  if (algorithm === undefined) return invalid('The token is not a JWT.');
  if (!isCanonical(token)) return invalid('The signature of the token is not written as base64url has it.');
  if (algorithm === 'HS256') return verifyWithSecrets(keys, token, now);
  if (keys.keySet === undefined) return invalid('This deployment accepts HS256 tokens only.');
  try {
    const { payload } = await jwtVerify(token, keys.keySet, {
      ...checks(now),
      algorithms: ASYMMETRIC,
      ...(keys.issuer === undefined ? {} : { issuer: keys.issuer }),
      ...(keys.audience === undefined ? {} : { audience: keys.audience }),
    });
    return checkClaims(payload, now);
  } catch (error) {
    return refusal(error);
  }
}

async function verifyWithSecrets(keys: TokenKeys, token: string, now: number): Promise<TokenCheck> {
  let outcome = invalid('This deployment does not accept HS256 tokens.');
  for (const secret of keys.secrets) {
    try {
      const { payload } = await jwtVerify(token, secret, { ...checks(now), algorithms: ['HS256'] });
      return checkClaims(payload, now);
    } catch (error) {
      outcome = refusal(error);
      // Only another signature is worth another secret: an expired token stays expired.
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) return outcome;
    }
  }
  return outcome;
}

export interface TokenClaims {
  readonly sub: string;
  readonly role: Role;
  readonly jti?: string | undefined;
  readonly services?: readonly string[] | undefined;
  readonly read?: boolean | undefined;
}

/**
 * A new HS256 token.
 * @param secret at least 32 bytes; the caller has checked it
 * @param now Unix milliseconds
 */
export async function signToken(
  claims: TokenClaims,
  secret: string,
  lifetimeSeconds: number,
  now: number = Date.now(),
): Promise<string> {
  const issuedAt = Math.floor(now / 1000);
  const { role, services, read } = claims;
  const jwt = new SignJWT({ role, ...(services !== undefined && { services }), ...(read !== undefined && { read }) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(claims.sub)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + lifetimeSeconds);
  if (claims.jti !== undefined) jwt.setJti(claims.jti);
  return jwt.sign(secretBytes(secret));
}

function checks(now: number) {
  return { clockTolerance: CLOCK_TOLERANCE_SECONDS, currentDate: new Date(now), requiredClaims: ['exp'] };
}

/**
 * One signature has one spelling: decoders also take padding, and other last characters for bits that are not used.
 * Header and payload need no look, because they are signed as they are written.
 */
function isCanonical(token: string): boolean {
  const signature = token.slice(token.lastIndexOf('.') + 1);
  try {
    return base64url.encode(base64url.decode(signature)) === signature;
  } catch {
    return false;
  }
}

function algorithmOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).alg;
  } catch {
    return undefined;
  }
}

function checkClaims(payload: unknown, now: number): TokenCheck {
  const claims = ClaimsSchema.safeParse(payload);
  if (!claims.success) {
    const names = new Set(claims.error.issues.map((issue) => issue.path.join('.')));
    return invalid(
      `The token's claims do not fit: ${[...names].join(', ')}. It needs sub, role (${ROLES.join(', ')}) and exp.`,
    );
  }
  const { sub, role, jti, services, read, exp, iat } = claims.data;
  const nowSeconds = now / 1000;
  if (exp > nowSeconds + MAX_TOKEN_LIFETIME_SECONDS + CLOCK_TOLERANCE_SECONDS) {
    return invalid("The token's claim exp is more than ten years away.");
  }
  if (iat !== undefined && iat > nowSeconds + CLOCK_TOLERANCE_SECONDS) {
    return invalid("The token's claim iat is in the future.");
  }
  const principal = {
    subject: sub,
    role,
    jti,
    expiresAt: exp * 1000,
    ...(services !== undefined && { services }),
    ...(read === true && { readsOnly: true as const }),
  };
  return { ok: true, principal };
}

/** jose's own errors speak of the token; anything else, and its generic one, of the way to the keys. */
function refusal(error: unknown): TokenCheck {
  if (error instanceof errors.JWTExpired) return invalid('The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed)
    return invalid(`The token's claim ${error.claim} does not fit.`);
  const speaksOfToken =
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    error.code !== errors.JOSEError.code;
  if (speaksOfToken) return invalid('The signature of the token is not valid here.');
  return { ok: false, code: 'unreachable', reason: 'The key set that tokens are checked with does not answer.' };
}

function invalid(reason: string): TokenCheck {
  return { ok: false, code: 'invalid', reason };
}

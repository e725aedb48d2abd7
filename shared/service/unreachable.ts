/**
 * Answers that say that nobody was reached: those with which a proxy or tunnel speaks for an origin that
 * it cannot connect to (developers.cloudflare.com/support/troubleshooting/http-status-codes: 520 to 527,
 * and 530 for a name that cannot be resolved).
 */
export function isUnreachableStatus(status: number): boolean {
  return (status >= 520 && status <= 527) || status === 530;
}

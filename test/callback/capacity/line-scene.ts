/** A registry under a virtual clock, with a ledger that only counts who stands in its lines. */
import { CountedObject, OWNER } from '../../../bench/registry/counted-object.ts';
import { takeReports } from '../../../callback/capacity/report.ts';
import { register } from '../../../callback/registry/servers/members.ts';
import { RegistrationSchema } from '../../../shared/registry/registration.ts';
import type { CallReport, RouteDecision, RouteRequest } from '../../../shared/registry/routing.ts';
import { T0 } from '../registry/fleet.ts';

export class Scene {
  readonly object: CountedObject;
  /** Tasks that stand, by line. */
  readonly parked = new Map<string, number>();
  readonly releases: { second: number; line: string; count: number }[] = [];
  #leases = 0;

  constructor(
    services: Readonly<Record<string, unknown>>,
    keyShards: Readonly<Record<string, readonly number[]>> = {},
  ) {
    this.object = new CountedObject(services, T0, true, keyShards);
    this.object.readLines = async () =>
      [...this.parked].flatMap(([line, count]) => (count > 0 ? [{ line, service: 'ocr' }] : []));
    this.object.release = async ({ line, limit }) => {
      const stand = this.parked.get(line) ?? 0;
      const count = Math.min(stand, limit);
      this.parked.set(line, stand - count);
      if (count > 0) this.releases.push({ second: Math.round((this.object.now - T0) / 100) / 10, line, count });
      return { released: count, left: stand > count };
    };
  }

  async ask(count: number, more: Partial<RouteRequest['calls'][number]> = {}, leaseId = this.lease()) {
    const calls = Array.from({ length: count }, (_, index) => ({
      id: `${leaseId}/${index}`,
      service: 'ocr',
      waits: 0,
      ...more,
    }));
    const request = { leaseId, expiresAt: this.object.now + 60_000, calls };
    const { decisions } = await this.object.host.route(request, () => 0);
    for (const decision of decisions) {
      if (decision.is !== 'waiting' || decision.line === undefined) continue;
      this.parked.set(decision.line, (this.parked.get(decision.line) ?? 0) + 1);
    }
    return { leaseId, decisions };
  }

  lease(): string {
    return `lease of the test ${this.#leases++}`;
  }

  async tell(reports: CallReport[]): Promise<void> {
    const leaseId = this.lease();
    await this.object.host.direct((registry, now) => takeReports(registry, { leaseId, reports }, now, () => 0));
  }

  async report(leaseId: string, decision: RouteDecision | undefined, more: Partial<CallReport> = {}): Promise<void> {
    const report = {
      id: decision?.id ?? 'call',
      service: 'ocr',
      outcome: 'answered' as const,
      durationMs: 10,
      ...more,
    };
    await this.object.host.direct((registry, now) =>
      takeReports(registry, { leaseId, reports: [report] }, now, () => 0),
    );
  }

  async add(name: string, more: Record<string, unknown> = {}): Promise<string> {
    const url = `https://${name}.example.net`;
    const registration = RegistrationSchema.parse({ url, services: [{ name: 'ocr' }], ...more });
    const id = `srv_${name.padStart(16, '0')}`;
    await this.object.host.decide((registry, now) => register(registry, registration, OWNER, id, now));
    return id;
  }

  pass(ms: number): Promise<void> {
    return this.object.passTimeTo(this.object.now + ms);
  }

  get left(): number {
    return [...this.parked.values()].reduce((sum, count) => sum + count, 0);
  }
}

export const routed = (decisions: readonly RouteDecision[]) => decisions.filter(({ is }) => is === 'routed').length;
export const whys = (decisions: readonly RouteDecision[]) =>
  decisions.map((decision) => (decision.is === 'waiting' ? decision.why : 'routed'));

/** The services that a plan's `wrangler.toml` defines, and what is around them when its consumers call them. */
import { reasonOf, unknownNames } from '../../shared/issue-reason.ts';
import { type Services, servicesSchema } from '../../shared/service/definition.ts';
import { headerSecretNames, type ServiceSurroundings } from '../../shared/service/review.ts';
import { joinServices } from '../../shared/service/variables.ts';
import type { KeyPlan } from './key-plan.ts';
import { type Plan, PlanError } from './plan.ts';

/** @throws PlanError naming the field; whether the services can work is for `reviewServices` to say */
export function servicesOf(plan: Plan): Services {
  const parsed = servicesSchema(true).safeParse(joinServices(plan.producer.vars));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue === undefined) throw new PlanError('SERVICES: cannot be read');
  const [unknown] = issue.code === 'unrecognized_keys' ? unknownNames(issue) : [];
  const field = [...issue.path, ...(unknown === undefined ? [] : [unknown.name])].join('.');
  throw new PlanError(`SERVICES.${field}: ${unknown?.reason ?? reasonOf(issue)}`);
}

/** @param hasSecret whether the consumers will hold a secret of this name */
export function surroundingsOf(
  plan: Plan,
  keys: KeyPlan,
  hasSecret: (name: string) => boolean,
  allowsPrivateTargets: boolean,
): ServiceSurroundings {
  return {
    allowsPrivateTargets,
    pools: new Set(Object.keys(keys.shardsOfPool)),
    secrets: new Set(headerSecretNames(servicesOf(plan)).filter(hasSecret)),
    bindings: new Set(plan.consumers[0]?.services.map(({ binding }) => binding)),
  };
}

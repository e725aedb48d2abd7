import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonText } from '../../../producer/json/json-text.ts';
import { checkPresent } from '../../../producer/schema/present-members.ts';
import { TaskSubmissionSchema } from '../../../producer/schema/submission.ts';

/** Of each member a value that fits, and one that does not; the last is no member. */
const VALUES: Readonly<Record<string, readonly [good: unknown, bad: unknown]>> = {
  service: ['echo', 'Echo!'],
  path: ['/v1', 'v1'],
  method: ['PUT', 'BREW'],
  payload: [new JsonText('{"a":1}'), new JsonText('null')],
  headers: [{ 'x-own': '1' }, { authorization: 'Bearer x' }],
  labels: [{ customer: 'acme' }, { '': 'acme' }],
  priority: [1, 4],
  retry: [{ maxAttempts: 2 }, { maxAttempts: 0 }],
  timeoutSeconds: [1.0001, -1],
  onComplete: [{ url: 'https://hooks.example.com' }, { url: 'hooks' }],
  group: ['night-7', ' '],
  prioritty: [undefined, 1],
};

const objects = fc
  .subarray(Object.keys(VALUES))
  .chain((names) => fc.tuple(fc.constant(names), fc.array(fc.boolean(), { minLength: 12, maxLength: 12 })))
  .map(([names, isBad]) => Object.fromEntries(names.map((name, at) => [name, VALUES[name]?.[isBad[at] ? 1 : 0]])));

describe('checking the members that are there', () => {
  it('comes to what the whole schema says, data and faults alike', () => {
    const check = checkPresent(TaskSubmissionSchema);
    fc.assert(
      fc.property(objects, (value) => {
        const [part, whole] = [check(value), TaskSubmissionSchema.safeParse(value)];
        expect(part.data).toEqual(whole.data);
        expect(part.error?.issues).toEqual(whole.error?.issues);
      }),
      { numRuns: 500 },
    );
  });

  it.each([['text'], [null], [[]], [{}], [{ service: 'echo', 'payload,path': 1 }]])(
    'refuses %j as the whole does',
    (value) => {
      const check = checkPresent(TaskSubmissionSchema);
      check({ service: 'echo', payload: 1, path: '/' });
      expect(check(value).error?.issues).toEqual(TaskSubmissionSchema.safeParse(value).error?.issues);
      expect(check(value).success).toBe(false);
    },
  );

  it('looks at no member that is absent', () => {
    let looks = 0;
    const rare = TaskSubmissionSchema.shape.ref.refine(() => {
      looks += 1;
      return true;
    });
    const check = checkPresent(TaskSubmissionSchema.extend({ ref: rare }));
    check({ service: 'echo' });
    const before = looks;
    for (let time = 0; time < 10; time++) expect(check({ service: 'echo' }).success).toBe(true);
    expect(looks).toBe(before);
    expect(check({ service: 'echo', ref: 'order-77' }).success).toBe(true);
    expect(looks).toBe(before + 1);
  });
});

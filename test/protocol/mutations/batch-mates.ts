/** What takes out the rules that `schedules/batch-mates.test.ts` holds. */
import { mutation, type Row } from './mutation.ts';

export const BATCH_MATES_MUTATIONS: readonly Row[] = [
  {
    name: 'a wake-up whose row a newer release wrote',
    file: 'schedules/batch-mates.test.ts',
    mutations: [
      {
        rule: 'R21',
        out: 'the reading of one row by itself',
        edits: [
          {
            file: 'consumer/delivery/claims.ts',
            from: "return TaskRequestSchema.safeParse(JSON.parse(recorded ?? '{}')).data;\n  } catch {\n    return undefined;",
            to: "return TaskRequestSchema.parse(JSON.parse(recorded ?? '{}'));\n  } catch (error) {\n    throw error;",
          },
        ],
      },
    ],
  },
  {
    name: 'a time-out of 1.2345 s',
    file: 'schedules/batch-mates.test.ts',
    mutations: [
      mutation(
        'R21',
        'the reading of each element by itself',
        'shared/rpc/parse-each.ts',
        'if (parsed.success) return [parsed.data];',
        'return [schema.parse(element)];',
      ),
      {
        rule: 'R21',
        out: 'the whole milliseconds',
        edits: [
          {
            file: 'shared/service/definition.ts',
            from: 'Math.ceil(Number((value * 1000).toFixed(6))) / 1000',
            to: 'value',
          },
          { file: 'consumer/call/lease.ts', from: 'Math.ceil(timeoutMs) + ', to: 'timeoutMs + ' },
        ],
      },
    ],
  },
];

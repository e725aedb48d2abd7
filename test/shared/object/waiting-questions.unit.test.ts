import { expect, test } from 'vitest';
import { WaitingQuestions } from '../../../shared/object/waiting-questions.ts';

test('a question that cannot be answered is refused, and the others that wait get their answers', async () => {
  const questions = new WaitingQuestions<string>((answer) => answer === 'later');
  const broken = questions.hold(
    'later',
    () => {
      throw new Error('unreadable');
    },
    0,
  );
  const others = [questions.hold('later', () => 'a key', 0), questions.hold('later', () => 'later', 0)];
  const refused = expect(broken).rejects.toThrow('unreadable');
  questions.look(50);
  await refused;
  expect(await others[0]).toBe('a key');
  expect(questions.isEmpty).toBe(false);
  questions.look(1_000);
  expect(await others[1]).toBe('later');
});

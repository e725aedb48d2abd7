import { describe, expect, it } from 'vitest';
import { workflowProblems } from '../../checks/workflow-rules.ts';

const SCRIPTS = new Set(['test', 'deploy', 'destroy']);

/** An expression of a workflow. */
const of = (name: string) => `\${{ ${name} }}`;

const GOOD = `
on: push
permissions:
  contents: read
concurrency: ci
jobs:
  test:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    if: github.actor != 'dependabot[bot]'
    environment: staging
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with:
          persist-credentials: false
      - run: npm test
      - run: npm run -s deploy -- --preview "$NAME"
        env:
          NAME: ${of('github.head_ref')}
          TOKEN: ${of('secrets.TOKEN')}
`;

describe('a workflow in order', () => {
  it('has no problems', () => {
    expect(workflowProblems(GOOD, SCRIPTS)).toEqual([]);
  });

  it('may name an action by an exact tag, or one of its own', () => {
    const tagged = GOOD.replace(/@08c.*/, '@v5.0.0').replace('- run: npm test', '- uses: ./.github/actions/own');
    expect(workflowProblems(tagged, SCRIPTS)).toEqual([]);
  });
});

describe('a workflow that removes a preview', () => {
  it('may do so with the code of the request itself', () => {
    const removes = GOOD.replace('on: push', 'on: pull_request')
      .replace('run -s deploy', 'run -s destroy')
      .replace(
        'persist-credentials: false',
        `persist-credentials: false\n          ref: refs/pull/${of('github.event.number')}/head`,
      );
    expect(workflowProblems(removes, SCRIPTS)).toEqual([]);
  });
});

describe('a workflow that is not', () => {
  it.each<[string, (source: string) => string, RegExp]>([
    ['must fail for Dependabot', (source) => source.replace(/ *if: .*\n/, ''), /Dependabot's runs get no secrets/],
    [
      'deploys any branch by hand',
      (source) => source.replace('on: push', 'on: [push, workflow_dispatch]'),
      /takes any branch/,
    ],
    [
      'lets others in beside those that may',
      (source) => source.replace("'dependabot[bot]'", "'dependabot[bot]' || github.event_name == 'push'"),
      /another way in/,
    ],
    [
      'removes a preview with the code of another commit',
      (source) => source.replace('on: push', 'on: pull_request').replace('run -s deploy', 'run -s destroy'),
      /leaves what the request added: ref: refs\/pull/,
    ],
    ['is no YAML', () => 'on: [push', /./],
    ['has no jobs', () => 'on: push', /^jobs/],
    ['leaves its token all permissions', (source) => source.replace(/permissions:\n.*\n/, ''), /no permissions/],
    [
      'lets every job write',
      (source) => source.replace('contents: read', 'contents: write'),
      /to write belong to the job/,
    ],
    [
      'writes all in a job',
      (source) => source.replace('timeout-minutes', 'permissions: write-all\n    timeout-minutes'),
      /too much/,
    ],
    ['may run twice at once', (source) => source.replace('concurrency: ci\n', ''), /no concurrency/],
    ['runs as long as it likes', (source) => source.replace(/ *timeout-minutes.*\n/, ''), /timeout-minutes/],
    ['runs for strangers with secrets', (source) => source.replace('push', 'pull_request_target'), /stranger/],
    ['follows a branch of an action', (source) => source.replace(/@08c.*/, '@main'), /not pinned/],
    ['follows a major version', (source) => source.replace(/@08c.*/, '@v5'), /not pinned/],
    ['hides the tag of a commit', (source) => source.replace(' # v5.0.0', ''), /lacks its tag/],
    [
      'leaves the token on disk',
      (source) => source.replace('persist-credentials: false', 'fetch-depth: 0'),
      /persist-credentials/,
    ],
    [
      'puts a branch name into a script',
      (source) => source.replace('"$NAME"', `"${of('github.head_ref')}"`),
      /inside a script/,
    ],
    [
      'gives secrets to every step',
      (source) => source.replace('    steps:', `    env:\n      T: ${of('secrets.T')}\n    steps:`),
      /every step/,
    ],
    [
      'gives secrets to every job',
      (source) => source.replace('jobs:', `env:\n  T: ${of('secrets.T')}\njobs:`),
      /every job/,
    ],
    ['has secrets of no environment', (source) => source.replace(/ *environment.*\n/, ''), /outside an environment/],
    [
      'calls a script that is not there',
      (source) => source.replace('npm run -s deploy', 'npm run -s depoly'),
      /no script depoly/,
    ],
  ])('%s', (_what, change, problem) => {
    expect(workflowProblems(change(GOOD), SCRIPTS).join('\n')).toMatch(problem);
  });
});

import { spawnSync } from 'node:child_process';
import { parseSync } from 'oxc-parser';
import { describe, expect, it } from 'vitest';
import { createApp } from '../../../producer/api.ts';
import { codeSamples } from '../../../producer/document/code-samples.ts';
import { apiDocument } from '../../../producer/document/document.ts';

interface Sampled {
  readonly operationId: string;
  readonly 'x-codeSamples': readonly { readonly label: string; readonly source: string }[];
}

const operations = Object.values(apiDocument(createApp()).paths ?? {}).flatMap(
  (item) => Object.values(item as object) as Sampled[],
);
const sourcesOf = (label: string) =>
  operations.map((operation) => ({
    name: operation.operationId,
    source: operation['x-codeSamples'].find((sample) => sample.label === label)?.source ?? '',
  }));

describe('samples', () => {
  it('show each call of the API with curl, in TypeScript and in Python', () => {
    expect(operations.length).toBeGreaterThan(40);
    for (const { operationId, 'x-codeSamples': samples } of operations) {
      expect(
        samples.map(({ label }) => label),
        operationId,
      ).toEqual(['curl', 'TypeScript', 'Python']);
      for (const { source } of samples) expect(source, operationId).not.toMatch(/undefined|\{id\}|\{name\}/);
    }
  });

  it('are TypeScript', () => {
    for (const { name, source } of sourcesOf('TypeScript'))
      expect(parseSync(`${name}.ts`, source).errors, source).toEqual([]);
  });

  it.skipIf(spawnSync('python3', ['--version']).status !== 0)('are Python', () => {
    const check = 'import ast, json, sys\nfor source in json.load(sys.stdin): ast.parse(source)';
    const input = JSON.stringify(sourcesOf('Python').map(({ source }) => source));
    expect(spawnSync('python3', ['-c', check], { input, encoding: 'utf8' }).stderr).toBe('');
  });

  it('are commands of a shell', () => {
    const input = sourcesOf('curl')
      .map(({ source }) => source)
      .join('\n\n');
    expect(spawnSync('sh', ['-n'], { input, encoding: 'utf8' }).stderr).toBe('');
  });

  it('are let in as the route lets in: by a token, or by the link that was signed for it', () => {
    const pass = (name: string) =>
      sourcesOf('curl')
        .find((each) => each.name === name)
        ?.source.match(/TASKLANE_TOKEN|TASK_CALLBACK_TOKEN|TASKLANE_LINK/g);
    expect(pass('submitTask')).toEqual(['TASKLANE_TOKEN']);
    expect(pass('putResult')).toEqual(['TASK_CALLBACK_TOKEN']);
    for (const name of ['getBody', 'putBody', 'putPart', 'completeUpload'])
      expect(pass(name)).toEqual(['TASKLANE_LINK']);
  });

  it('name things of their kind, send what the route takes, and say no time that is over', () => {
    for (const label of ['curl', 'TypeScript', 'Python'])
      for (const { name, source } of sourcesOf(label)) {
        expect(source, name).not.toMatch(/[/=]value\b/);
        if (/\/api\/jobs\//.test(source)) expect(source, name).toContain('/api/jobs/job_');
        for (const [, until = ''] of source.matchAll(/"until"\s*:\s*"([^"]+)"/g))
          expect(Date.parse(until), name).toBeGreaterThan(Date.parse('2029-01-01'));
        if (['putBody', 'putPart', 'putResult'].includes(name)) expect(source, name).toContain('body.bin');
        if (name === 'callService') expect(source, name).toContain('messages');
      }
  });

  it('have the words of each language for what is true, nothing, and quoted', () => {
    const body = { a: true, b: null, c: "it's", d: [] };
    const content = { 'application/json': { example: body } };
    const [curl, typescript, python] = codeSamples(
      'post',
      '/x/{id}',
      { requestBody: { content } },
      { kind: 'token', variable: 'TOKEN' },
    );
    expect(curl?.source).toContain(`"c":"it'\\''s"`);
    expect(typescript?.source).toContain('"b": null');
    expect(python?.source).toContain('"a": True');
    expect(python?.source).toContain('"b": None');
  });
});

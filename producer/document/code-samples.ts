/**
 * How each call of the API is made with curl, in TypeScript and in Python, written from the document itself
 * (`x-codeSamples`, which viewers of API documents know), so that none is missing or out of date. Pure.
 */

export interface SampledParameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly example?: unknown;
  readonly schema?: { readonly example?: unknown; readonly enum?: readonly unknown[] };
}

interface Media {
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value?: unknown }>>;
}

export interface SampledOperation {
  readonly parameters?: readonly SampledParameter[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, Media>> };
}

export interface CodeSample {
  readonly lang: string;
  readonly label: string;
  readonly source: string;
}

/** By what a call is let in: a token in an environment variable, a signed link, or nothing. */
export type SampledPass = { readonly kind: 'token'; readonly variable: string } | { readonly kind: 'link' | 'open' };

interface SampleCall {
  readonly method: string;
  /** With values in the place of its parameters; undefined: the whole address is a link's. */
  readonly target: string | undefined;
  readonly token: string | undefined;
  readonly body: { readonly kind: 'json'; readonly value: unknown } | { readonly kind: 'bytes' | 'none' };
}

/** Where samples find the bytes that they send. */
const FILE = 'body.bin';
const BYTES = 'application/octet-stream';

export function codeSamples(
  method: string,
  path: string,
  operation: SampledOperation,
  pass: SampledPass,
): CodeSample[] {
  const { parameters = [], requestBody } = operation;
  const exampleValue = ({ example, schema }: SampledParameter) =>
    String(example ?? schema?.example ?? schema?.enum?.[0] ?? 'value');
  const byName = new Map(parameters.filter((each) => each.in === 'path').map((each) => [each.name, each]));
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    exampleValue(byName.get(name) ?? { name, in: 'path' }),
  );
  const query = parameters
    .filter((each) => each.in === 'query' && each.required === true)
    .map((each) => `${each.name}=${encodeURIComponent(exampleValue(each))}`);
  const target = query.length === 0 ? filled : `${filled}?${query.join('&')}`;
  const call: SampleCall = {
    method: method.toUpperCase(),
    target: pass.kind === 'link' ? undefined : target,
    token: pass.kind === 'token' ? pass.variable : undefined,
    body: bodyOf(requestBody),
  };
  return [
    { lang: 'Shell', label: 'curl', source: curl(call) },
    { lang: 'TypeScript', label: 'TypeScript', source: typescript(call) },
    { lang: 'Python', label: 'Python', source: python(call) },
  ];
}

function bodyOf({ content = {} }: NonNullable<SampledOperation['requestBody']> = {}): SampleCall['body'] {
  if (content[BYTES] !== undefined) return { kind: 'bytes' };
  const media = content['application/json'];
  const value = media?.example ?? Object.values(media?.examples ?? {})[0]?.value;
  return value === undefined ? { kind: 'none' } : { kind: 'json', value };
}

function curl({ method, target, token, body }: SampleCall): string {
  return [
    `curl ${method === 'GET' ? '' : `-X ${method} `}"${target === undefined ? '$TASKLANE_LINK' : `$TASKLANE_URL${target}`}"`,
    ...(token === undefined ? [] : [`-H "authorization: Bearer $${token}"`]),
    ...(body.kind === 'json'
      ? [`-H 'content-type: application/json'`, `-d '${JSON.stringify(body.value).replaceAll("'", `'\\''`)}'`]
      : []),
    ...(body.kind === 'bytes' ? [`-H 'content-type: ${BYTES}'`, `--data-binary @${FILE}`] : []),
  ].join(' \\\n  ');
}

function typescript({ method, target, token, body }: SampleCall): string {
  const headers = [
    ...(token === undefined ? [] : [`    authorization: \`Bearer \${process.env.${token}}\`,`]),
    ...(body.kind === 'json' ? [`    'content-type': 'application/json',`] : []),
    ...(body.kind === 'bytes' ? [`    'content-type': '${BYTES}',`] : []),
  ];
  const init = [
    ...(method === 'GET' ? [] : [`  method: '${method}',`]),
    ...(headers.length === 0 ? [] : ['  headers: {', ...headers, '  },']),
    ...(body.kind === 'json' ? [`  body: JSON.stringify(${indented(JSON.stringify(body.value, undefined, 2))}),`] : []),
    ...(body.kind === 'bytes' ? [`  body: await readFile('${FILE}'),`] : []),
  ];
  const address =
    target === undefined ? `\`\${process.env.TASKLANE_LINK}\`` : `\`\${process.env.TASKLANE_URL}${target}\``;
  const imports = body.kind === 'bytes' ? `import { readFile } from 'node:fs/promises';\n\n` : '';
  const call = init.length === 0 ? `fetch(${address})` : `fetch(${address}, {\n${init.join('\n')}\n})`;
  return `${imports}const response = await ${call};\nif (!response.ok) throw new Error(await response.text());\nconsole.log(await response.text());`;
}

function python({ method, target, token, body }: SampleCall): string {
  const headers = [
    ...(token === undefined ? [] : [`"authorization": f"Bearer {os.environ['${token}']}"`]),
    ...(body.kind === 'bytes' ? [`"content-type": "${BYTES}"`] : []),
  ];
  const more = [
    ...(headers.length === 0 ? [] : [`    headers={${headers.join(', ')}},`]),
    ...(body.kind === 'json' ? [`    json=${indented(pythonLiteral(body.value, '    '), '')},`] : []),
    ...(body.kind === 'bytes' ? [`    data=open("${FILE}", "rb"),`] : []),
  ];
  const address = target === undefined ? 'os.environ["TASKLANE_LINK"]' : `os.environ["TASKLANE_URL"] + "${target}"`;
  const call = [`    "${method}",`, `    ${address},`, ...more].join('\n');
  return `import os\nimport requests\n\nresponse = requests.request(\n${call}\n)\nresponse.raise_for_status()\nprint(response.text)`;
}

/** JSON's words for nothing and truth are others there. */
function pythonLiteral(value: unknown, indent: string): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = `${indent}    `;
  const members = Array.isArray(value)
    ? value.map((each) => pythonLiteral(each, inner))
    : Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${pythonLiteral(each, inner)}`);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  if (members.length === 0) return open + close;
  return `${open}\n${members.map((member) => `${inner}${member},\n`).join('')}${indent}${close}`;
}

function indented(text: string, by = '  '): string {
  return text.replaceAll('\n', `\n${by}`);
}

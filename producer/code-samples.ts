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

interface SampleCall {
  readonly method: string;
  /** With values in the place of its parameters. */
  readonly target: string;
  /** The environment variable that holds the token; undefined: none is asked for. */
  readonly token: string | undefined;
  readonly body: unknown;
}

/** @param token the environment variable that holds the token */
export function codeSamples(
  method: string,
  path: string,
  operation: SampledOperation,
  token: string | undefined,
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
  const call = { method: method.toUpperCase(), target, token, body: bodyOf(requestBody) };
  return [
    { lang: 'Shell', label: 'curl', source: curl(call) },
    { lang: 'TypeScript', label: 'TypeScript', source: typescript(call) },
    { lang: 'Python', label: 'Python', source: python(call) },
  ];
}

function bodyOf(requestBody: SampledOperation['requestBody']): unknown {
  const media = requestBody?.content?.['application/json'];
  return media?.example ?? Object.values(media?.examples ?? {})[0]?.value;
}

function curl({ method, target, token, body }: SampleCall): string {
  return [
    `curl ${method === 'GET' ? '' : `-X ${method} `}"$TASKLANE_URL${target}"`,
    ...(token === undefined ? [] : [`-H "authorization: Bearer $${token}"`]),
    ...(body === undefined
      ? []
      : [`-H 'content-type: application/json'`, `-d '${JSON.stringify(body).replaceAll("'", `'\\''`)}'`]),
  ].join(' \\\n  ');
}

function typescript({ method, target, token, body }: SampleCall): string {
  const headers = [
    ...(token === undefined ? [] : [`    authorization: \`Bearer \${process.env.${token}}\`,`]),
    ...(body === undefined ? [] : [`    'content-type': 'application/json',`]),
  ];
  const init = [
    ...(method === 'GET' ? [] : [`  method: '${method}',`]),
    ...(headers.length === 0 ? [] : ['  headers: {', ...headers, '  },']),
    ...(body === undefined ? [] : [`  body: JSON.stringify(${indented(JSON.stringify(body, undefined, 2))}),`]),
  ];
  const address = `\`\${process.env.TASKLANE_URL}${target}\``;
  const call = init.length === 0 ? `fetch(${address})` : `fetch(${address}, {\n${init.join('\n')}\n})`;
  return `const response = await ${call};\nif (!response.ok) throw new Error(await response.text());\nconsole.log(await response.text());`;
}

function python({ method, target, token, body }: SampleCall): string {
  const more = [
    ...(token === undefined ? [] : [`    headers={"authorization": f"Bearer {os.environ['${token}']}"},`]),
    ...(body === undefined ? [] : [`    json=${indented(pythonLiteral(body, '    '), '')},`]),
  ];
  const call = [`    "${method}",`, `    os.environ["TASKLANE_URL"] + "${target}",`, ...more].join('\n');
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

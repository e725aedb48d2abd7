/**
 * What the page at `/docs` runs and looks like beside Swagger UI itself: it follows the reader's theme, and shows for each
 * call how it is made, from the document's `x-codeSamples`.
 */

export const DOCS_SCRIPT = `const dark = matchMedia('(prefers-color-scheme: dark)');
const followTheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', followTheme);
followTheme();

const CodeSamples = (system) => ({ samples }) => {
  const { createElement, useState } = system.React;
  const [shown, show] = useState(0);
  const buttons = samples.map(({ label }, at) =>
    createElement('button', {
      key: label, type: 'button', className: 'btn', 'aria-pressed': at === shown, onClick: () => show(at),
    }, label),
  );
  return createElement('div', { className: 'code-samples' },
    createElement('div', { className: 'code-samples-choice' }, ...buttons),
    createElement('pre', { tabIndex: 0 }, samples[shown].source),
  );
};

const SamplesPlugin = (system) => {
  const Samples = CodeSamples(system);
  return {
    wrapComponents: {
      responses: (Original) => (props) => {
        const { createElement, Fragment } = system.React;
        const operation = props.specSelectors.specJson().getIn(['paths', props.path, props.method]);
        const samples = operation?.get('x-codeSamples')?.toJS() ?? [];
        return createElement(Fragment, null,
          samples.length > 0 && createElement(Samples, { samples }),
          createElement(Original, props),
        );
      },
    },
  };
};

window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
  plugins: [SamplesPlugin],
});
`;

export const DOCS_STYLE = `:root { color-scheme: light dark; }
html.dark-mode, html.dark-mode body { background: #14171c; }
body { margin: 0; }
.code-samples { padding: 15px 20px; }
.code-samples-choice { display: flex; gap: 8px; margin-bottom: 8px; }
.code-samples-choice .btn[aria-pressed='true'] { border-color: #0b57b8; box-shadow: inset 0 -2px #0b57b8; }
html.dark-mode .code-samples-choice .btn { color: #e7eaf0; border-color: #a7afbc; }
html.dark-mode .code-samples-choice .btn[aria-pressed='true'] { border-color: #8ab8ff; box-shadow: inset 0 -2px #8ab8ff; }
.code-samples pre { margin: 0; padding: 12px; overflow: auto; max-height: 400px; border-radius: 4px;
  background: #f5f6f8; color: #1b1f26; font: 13px/1.5 ui-monospace, monospace; }
html.dark-mode .code-samples pre { background: #1e2229; color: #e7eaf0; }
`;

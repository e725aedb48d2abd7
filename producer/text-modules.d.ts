/** Files that the bundler hands over as text: the rule stands in wrangler.toml. */
declare module 'swagger-ui-dist/swagger-ui-bundle.js' {
  const text: string;
  export = text;
}

declare module 'swagger-ui-dist/swagger-ui.css' {
  const text: string;
  export = text;
}

/** The bundled dashboard; `dashboard/build.ts` writes it before the producer is built. */
declare module '*.txt' {
  const text: string;
  export = text;
}

import { html } from 'hono/html';
import type { documentOf } from './docs.ts';

type Document = ReturnType<typeof documentOf>;
type Path = NonNullable<Document['paths']>[string];
type Operation = NonNullable<Path['get']>;

const METHODS = ['get', 'post', 'put', 'delete'] as const;

interface Entry {
  method: string;
  path: string;
  operation: Operation;
}

/** The OpenAPI document as one page: routes by family, each with its fields and answers, and the shapes they name. */
export function docsPage(document: Document) {
  const entries = Object.entries(document.paths ?? {}).flatMap(([path, item]) => operations(path, item));
  const families = [...new Set(entries.map(({ operation }) => familyOf(operation)))];
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${document.info.title} API</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <h1>${document.info.title} API</h1>
        <p>${prose(document.info.description ?? '')}</p>
        <nav>
          ${families.map((family) => html`<a href="#${anchor(family)}">${family}</a> `)}<a href="#shapes">Shapes</a>
          <a href="/openapi.json">openapi.json</a>
        </nav>
        ${families.map((family) =>
          section(
            family,
            entries.filter(({ operation }) => familyOf(operation) === family),
          ),
        )}
        <h2 id="shapes">Shapes</h2>
        ${Object.entries(document.components?.schemas ?? {}).map(
          ([name, schema]) =>
            html`<details id="shape-${name}">
              <summary><code>${name}</code></summary>
              <pre>${linked(schema)}</pre>
            </details>`,
        )}
      </body>
    </html>`;
}

const operations = (path: string, item: Path): Entry[] =>
  METHODS.flatMap((method) => {
    const operation = item[method];
    return operation ? [{ method: method.toUpperCase(), path, operation }] : [];
  });

const familyOf = (operation: Operation): string => operation.tags?.[0] ?? 'Other';

const anchor = (family: string): string => family.toLowerCase().replaceAll(' ', '-');

const section = (family: string, entries: Entry[]) =>
  html`<h2 id="${anchor(family)}">${family}</h2>
    ${entries.map(entryDetails)}`;

const entryDetails = ({ method, path, operation }: Entry) =>
  html`<details>
    <summary><b>${method}</b> <code>${path}</code> <span>${prose(operation.summary ?? '')}</span></summary>
    ${operation.description ? html`<p>${prose(operation.description)}</p>` : ''}
    ${part('Parameters', operation.parameters)} ${part('Body', operation.requestBody)}
    ${part('Answers', operation.responses)}
  </details>`;

/** Schemas stay JSON: developers read it, and nothing is lost on the way. */
const part = (title: string, content: unknown) =>
  content === undefined
    ? ''
    : html`<h3>${title}</h3>
        <pre>${linked(content)}</pre>`;

/** `code` in texts, as our descriptions write it. */
const prose = (text: string) =>
  text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));

/** JSON whose references lead to the shapes that they name. */
const linked = (content: unknown) =>
  JSON.stringify(content, null, 2)
    .split(/"#\/components\/schemas\/(\w+)"/)
    .map((part, index) => (index % 2 === 1 ? html`<a href="#shape-${part}">${part}</a>` : part));

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2330; background: #fff; }
  nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
  a { color: #0b57d0; }
  details { border: 1px solid #d5dae3; border-radius: 6px; margin: .5rem 0; padding: .5rem .75rem; }
  summary { cursor: pointer; overflow-wrap: anywhere; }
  summary b { display: inline-block; min-width: 4.5rem; }
  summary span { color: #4a5468; }
  pre { overflow-x: auto; background: #f4f6fa; padding: .75rem; border-radius: 6px; font-size: .85rem; }
  h3 { margin: .75rem 0 .25rem; font-size: 1rem; }
`;

import { createApiReference } from './scalar/standalone.esm.js';

// oxlint-disable typescript/no-unsafe-call -- the viewer's build comes without types
// Everything that would speak to another host is off: fonts, telemetry, the vendor's client, agent and MCP server.
createApiReference('#reference', {
  url: '/openapi.json',
  authentication: { preferredSecurityScheme: 'bearer' },
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  // The rest of the documentation follows the system, too.
  hideDarkModeToggle: true,
  showDeveloperTools: 'never',
  documentDownloadType: 'json',
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
  customCss: `
    .scalar-app { --scalar-custom-header-height: 3.25rem; }
    /* The theme's own grey and signal colours have too little contrast for small text. */
    .light-mode {
      --scalar-color-3: #666; --scalar-color-green: #067647; --scalar-color-red: #b42318; --scalar-color-orange: #b54708;
      --scalar-color-yellow: #7a5200; --scalar-color-blue: #0b5cad; --scalar-color-purple: #6941c6;
    }
    /* On a phone, an operation's long title is wider than the page. */
    .t-doc__header header > span { overflow: hidden; text-overflow: ellipsis; }
    .dark-mode { --scalar-color-3: #999; --scalar-color-red: #ff8080; }
  `,
});

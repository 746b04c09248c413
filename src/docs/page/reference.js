import { createApiReference } from './scalar/standalone.esm.js';

// Everything that would speak to another host is off: fonts, telemetry, the vendor's client, agent and MCP server.
createApiReference('#reference', {
  url: '/openapi.json',
  authentication: { preferredSecurityScheme: 'bearer' },
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
  documentDownloadType: 'json',
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
});

import { logins } from './demo.ts';
import type { Marker } from './marker.ts';
import { markerFile, type Settings, shown } from './settings.ts';

const LINE = '─'.repeat(96);

/** What a newcomer needs to know, in one block. */
export function banner(settings: Settings, demo: Marker | null): string {
  const unknown = `not known here (${shown(markerFile(settings))} is missing; an administrator can create another one)`;
  const rows: [string, string][] = [
    ['URL', settings.origin],
    ['API docs', `${settings.origin}/docs`],
    ['Demo logins', logins.join(', ')],
    ['', '(the password is the user name)'],
    ['Demo access key', demo?.accessKey ?? unknown],
    ['Sandbox account', demo?.accountId ?? 'GET /v1.0/conversation_accounts lists it'],
    ['Data', `${settings.stateDir} (kept; Ctrl+C stops)`],
  ];
  const body = rows.map(([name, value]) => `  ${name.padEnd(17)}${value}`);
  return ['', LINE, '  Parley is ready', '', ...body, LINE, ''].join('\n');
}

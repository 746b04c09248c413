import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, startServer, type TestServer } from '../support/server.ts';

/** The README's walk as a newcomer takes it: its blocks, pasted one after another into one shell. */
const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const PATIENCE_MS = 200_000;

let server: TestServer;
let ports: number[];
let printed: string[];

beforeAll(async () => {
  server = await startServer();
  ports = [await freePort(), await freePort(), await freePort()];
  printed = await paste(walk());
}, 300_000);

afterAll(() => server?.dispose());

function walk(): string[] {
  const text = readFileSync('README.md', 'utf8');
  const [, section = ''] = /^## A walk with curl$([\s\S]*?)^## /m.exec(text) ?? [];
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '');
}

/** What each block prints, standard error included. */
async function paste(blocks: string[]): Promise<string[]> {
  const [HOOK_PORT, ASSISTANT_PORT, PAGE_PORT] = ports.map(String);
  const env = { ...process.env, PARLEY: server.url, HOOK_PORT, ASSISTANT_PORT, PAGE_PORT };
  const border = '--- the next block ---';
  const shell = spawn('bash', { env, detached: true });
  const output: string[] = [];
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk: Buffer) => output.push(String(chunk)));
  shell.stdin.end(blocks.join(`\necho "${border}"\n`));
  // The group, because a walk that stands still has servers in the background.
  const limit = setTimeout(() => process.kill(-(shell.pid ?? 0), 'SIGKILL'), PATIENCE_MS);
  const [code] = await once(shell, 'close');
  clearTimeout(limit);
  if (code !== 0) throw new Error(`the walk ended with ${code}:\n${output.join('')}`);
  return output.join('').split(`${border}\n`);
}

/** Webhooks are printed whenever they arrive, between the lines of any block. */
const linesOf = (index: number): string[] =>
  (printed[index] ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('webhook: '));

const eventsOf = (index: number): string[] =>
  linesOf(index).flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice('data: '.length)).type] : []));

describe('the walk', () => {
  it('has eleven blocks', () => expect(printed).toHaveLength(11));

  it('begins with an access key and the sandbox account', () => {
    expect(printed[0]).toMatch(new RegExp(`^access key vb_\\w+, account ${server.sandboxAccount}\n$`));
  });

  it('makes a webhook endpoint', () => expect(linesOf(1)).toEqual([expect.stringMatching(`^endpoint ${UUID}$`)]));

  it('shows the conversation of a customer who has written', () => {
    expect(printed[2]).toContain("state: 'active'");
    expect(printed[2]).toMatch(/target: '\+1555\d{7}'/);
  });

  it('answers once, and the phone has it', () => {
    const [repeated, found, ...phone] = linesOf(3);
    expect(repeated).toMatch(new RegExp(`^${UUID}$`));
    expect(found).toBe('found "status":"done"');
    expect(phone.join('\n')).toContain(`message_id: '${repeated}'`);
    expect(phone.join('\n')).toContain("text: 'On Friday.'");
  });

  it('streams everything from the beginning', () => {
    expect(eventsOf(4)).toEqual([
      'conversation_created',
      'conversation_message_created',
      'conversation_message_created',
      'conversation_message_updated',
      'caught_up',
    ]);
  });

  it('shows why a send has failed', () => {
    expect(linesOf(5).slice(-2)).toEqual([
      'found "status":"failed"',
      "{ code: 'SANDBOX_REJECTED', message: 'refused on request' }",
    ]);
  });

  it('gets one answer from the assistant for two messages, and takes over', () => {
    const lines = linesOf(6);
    expect(lines).toContain('found You said: Hello? / Anybody there?');
    expect(lines).toContain('human');
    expect(lines.join('\n')).toMatch(/from_mode: 'ai',\s+to_mode: 'human'/);
    // The same conversation took all three messages.
    expect(new Set(lines.filter((line) => new RegExp(`^${UUID}$`).test(line))).size).toBe(2);
  });

  it('lets the second agent read the talk live', () => {
    expect(linesOf(7)[0]).toBe('Hello @agent2');
    expect(eventsOf(7)).toEqual([
      'talk_created',
      'participant_joined',
      'participant_joined',
      'message_created',
      'caught_up',
    ]);
  });

  it('puts the chat on a page', () => expect(linesOf(8)).toEqual([`open http://localhost:${ports[2]}`, '[]']));

  it('receives a mail', () => {
    expect(linesOf(9)[0]).toBe('found "type":"email"');
    expect(printed[9]).toContain("target: 'ada@company.example'");
  });

  it('cleans up', async () => {
    const deleted = Array.from({ length: 4 }, () => 'deleted: 200');
    expect(linesOf(10)).toEqual(['00000000-0000-0000-0000-000000000000', 'closed', ...deleted]);
    for (const port of ports) await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  });

  it('has printed the webhooks', () => {
    const types = new Set(printed.join('').match(/^webhook: \w+$/gm));
    for (const type of ['created', 'received', 'sent', 'updated']) {
      expect(types).toContain(`webhook: conversation_message_${type}`);
    }
    expect(types).toContain('webhook: message_created');
  });
});

/**
 * A request body for every operation that takes JSON, by method and path. A viewer's code samples are made from these,
 * so each must be accepted as it stands (test/e2e/docs.test.ts sends them). Ids are made up and lead to a 404.
 */
const ID = '123e4567-e89b-12d3-a456-426614174000';
const CONTACT = '+15559876543';
const AGENT = 'agt_6uDWeqqbDgZJu8g3hUzbJ9';
const FLOW = {
  name: 'Welcome',
  actions: [
    { type: 'conversation_send', option: { text: 'Hello! We will be with you shortly.' } },
    { type: 'sleep', option: { duration: 60_000 } },
    { type: 'conversation_send', option: { text: 'Still here. Thank you for waiting.' } },
  ],
};

const EXAMPLES: Record<string, unknown> = {
  'POST /chat/{account_id}/sessions': { name: 'Ada', email: 'ada@example.com' },
  'POST /chat/{account_id}/messages': { text: 'When will my order arrive?', client_id: 'message-1' },
  'POST /chat/{account_id}/verifications': { email: 'ada@example.com' },
  'POST /auth/login': { username: 'admin@localhost', password: 'admin@localhost' },
  'POST /v1.0/customers': { name: 'My shop', username: 'you@example.com' },
  'PUT /v1.0/customer': { conversation_idle_timeout: 86_400, conversation_close_timeout: 2_592_000 },
  'POST /v1.0/agents': { username: 'ada@example.com', password: 'a long password', name: 'Ada', permission: 16 },
  'PUT /v1.0/agents/{id}': { name: 'Ada' },
  'PUT /v1.0/agents/{id}/status': { status: 'available' },
  'PUT /v1.0/agents/{id}/permission': { permission: 64 },
  'PUT /v1.0/agents/{id}/password': { password: 'a long password' },
  'POST /v1.0/accesskeys': { name: 'My software' },
  'PUT /v1.0/accesskeys/{id}': { name: 'My software' },
  'POST /v1.0/conversation_accounts': {
    type: 'sms',
    name: 'Sandbox',
    provider_data: { provider: 'sandbox', number: '+15550100001' },
  },
  'PUT /v1.0/conversation_accounts/{id}': { name: 'Sandbox', fallback: true },
  'POST /v1.0/conversations': { name: 'Ada', participants: [{ type: 'tel', target: CONTACT }] },
  'PUT /v1.0/conversations/{id}': { tags: ['order'], ai_mode: 'human' },
  'POST /v1.0/conversations/{id}/participants': { type: 'tel', target: '+15559876544', name: 'Ada' },
  'POST /v1.0/conversations/{id}/messages': { text: 'On Friday.' },
  'POST /v1.0/contacts/{id}/merge': { contact_id: ID },
  'POST /v1.0/assistants': { name: 'Ada', webhook_url: 'https://example.com/assistant' },
  'PUT /v1.0/assistants/{id}': { debounce_ms: 3_000 },
  'POST /v1.0/flows': FLOW,
  'PUT /v1.0/flows/{id}': FLOW,
  'POST /v1.0/talks': { type: 'group', name: 'Team', participant_ids: [] },
  'PUT /v1.0/talks/{id}': { name: 'Team' },
  'PUT /v1.0/talks/{id}/read': { sequence: 1 },
  'POST /v1.0/talks/{id}/participants': { agent_id: ID },
  'POST /v1.0/talks/{id}/messages': { text: 'Hello everybody' },
  'POST /v1.0/service_agents/talk_messages': { chat_id: ID, text: 'Hello everybody' },
  'PUT /v1.0/messages/{id}': { text: 'Hello all' },
  'POST /v1.0/messages/{id}/reactions': { emoji: '👍' },
  'POST /v1.0/webhook_endpoints': {
    url: 'https://example.com/webhooks',
    events: ['conversation_message_received', 'conversation_message_sent'],
  },
  'PUT /v1.0/webhook_endpoints/{id}': { status: 'enabled' },
  'POST /v1.0/webhook_endpoints/{id}/recover': { since: '2026-01-01T00:00:00Z' },
  'POST /v1.0/sandbox/inbound': { account_id: ID, from: CONTACT, text: 'When will my order arrive?' },
  'POST /v1.0/sandbox/faults': { account_id: ID, count: 1, kind: 'reject' },
  'PATCH /v1/conversations/{id}': { ai_mode: 'human' },
  'POST /v1/messages': {
    agent_id: AGENT,
    from_number: '+15550100000',
    to_number: CONTACT,
    channel: 'sms',
    body: 'On Friday.',
  },
  'POST /v1/messages/template': {
    agent_id: AGENT,
    from_number: '+15550100000',
    to_number: CONTACT,
    template_name: 'order_shipped',
    language_code: 'en_US',
    parameters: ['4711'],
  },
  'POST /v1/agents': { name: 'Ada', webhook_url: 'https://example.com/assistant' },
  'POST /v1/webhooks/test': { webhook_url: 'https://example.com/webhooks', event_type: 'message.received' },
};

/** Several families of paths lead to the same operations. */
const canonical = (path: string): string =>
  path
    .replace('/v1.0/auth/', '/auth/')
    .replace('conversation-accounts', 'conversation_accounts')
    .replace('service_agents/talk_chats', 'talks')
    .replace('service_agents/talk_messages/', 'messages/')
    .replace('service_agents/conversations', 'conversations');

export const exampleOf = (method: string, path: string): unknown =>
  EXAMPLES[`${method.toUpperCase()} ${canonical(path)}`];

'use strict';
/**
 * Parley's web chat: <script async src="https://parley.example/widget.js" data-account="<account id>"></script>
 * Also data-title, -color, -position (right, left), -lang, -ask ("name email"; "": nothing), -identity-token; window.Parley; and the
 * event parley:message.
 */
{
  const RENEW_MS = 24 * 60 * 60_000;
  const PING_MS = 30_000;
  const PONG_MS = 10_000;
  const ACK_MS = 1000;
  const ACK_FRAMES = 50;
  const TYPING_MS = 3000;
  const TYPING_ENDS_MS = 10_000;
  const MIN_PAUSE_MS = 1000;
  const MAX_PAUSE_MS = 30_000;
  const CLOSE_UNAUTHORIZED = 4001;
  const PHONE = '(max-width: 480px)';

  // ---------------------------------------------------------------- Texts

  /** In the order of LANGUAGES. */
  const TEXTS = {
    title: ['Chat with us', 'Schreiben Sie uns', '문의하기', 'お問い合わせ'],
    close: ['Close chat', 'Chat schließen', '채팅 닫기', 'チャットを閉じる'],
    hello: ['How can we help you?', 'Wie können wir helfen?', '무엇을 도와드릴까요?', 'ご用件をお聞かせください。'],
    ask: [
      'Leave your e-mail address, and our answer finds you later too.',
      'Mit Ihrer E-Mail-Adresse erreicht Sie unsere Antwort auch, wenn Sie gegangen sind.',
      '이메일을 남기시면 나중에도 답변을 받으실 수 있습니다.',
      'メールアドレスがあれば、後からでも返信をお届けできます。',
    ],
    name: ['Name (optional)', 'Name (freiwillig)', '이름 (선택)', 'お名前（任意）'],
    email: ['E-mail (optional)', 'E-Mail (freiwillig)', '이메일 (선택)', 'メールアドレス（任意）'],
    start: ['Start chat', 'Chat beginnen', '채팅 시작', 'チャットを始める'],
    skip: ['Skip', 'Überspringen', '건너뛰기', 'スキップ'],
    write: ['Write a message…', 'Nachricht schreiben…', '메시지를 입력하세요…', 'メッセージを入力…'],
    send: ['Send', 'Senden', '보내기', '送信'],
    you: ['You', 'Sie', '나', 'あなた'],
    log: ['Messages', 'Nachrichten', '메시지', 'メッセージ'],
    sending: ['Sending…', 'Wird gesendet…', '보내는 중…', '送信中…'],
    failed: ['Not sent.', 'Nicht gesendet.', '전송되지 않았습니다.', '送信できませんでした。'],
    retry: ['Try again', 'Nochmals versuchen', '다시 시도', '再試行'],
    typing: ['{} is typing…', '{} schreibt…', '{} 님이 입력 중…', '{}さんが入力中…'],
    unread: ['{} unread', '{} ungelesen', '읽지 않은 메시지 {}개', '未読 {} 件'],
    ended: [
      'This conversation has ended. Write to begin a new one.',
      'Diese Unterhaltung ist beendet. Schreiben Sie, um eine neue zu beginnen.',
      '대화가 종료되었습니다. 메시지를 보내면 새 대화가 시작됩니다.',
      'この会話は終了しました。メッセージを送ると新しい会話が始まります。',
    ],
    offline: [
      'You are offline. What you write is sent when you are back.',
      'Sie sind offline. Was Sie schreiben, wird später gesendet.',
      '오프라인 상태입니다. 다시 연결되면 메시지가 전송됩니다.',
      'オフラインです。接続が戻ると送信されます。',
    ],
  };
  const LANGUAGES = ['en', 'de', 'ko', 'ja'];
  /** @typedef {Record<keyof typeof TEXTS, string>} Texts */

  function textsIn(language = '') {
    const column = Math.max(0, LANGUAGES.indexOf(language));
    const entries = Object.entries(TEXTS).map(([key, texts]) => [key, texts[column] ?? '']);
    return /** @type {Texts} */ (Object.fromEntries(entries));
  }

  // ---------------------------------------------------------------- Helpers

  const fill = (text = '', value = '') => text.replace('{}', () => value);

  /** Said to whoever builds the page. */
  // oxlint-disable-next-line no-console -- a widget has no other log than its page's
  const warn = (text = '') => console.warn(`Parley: ${text}`);

  /**
   * Texts of others only ever become text nodes.
   * @template {keyof HTMLElementTagNameMap} K
   * @param {K} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
   * @returns {HTMLElementTagNameMap[K]}
   */
  function el(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function icon(d = '') {
    const [svg, path] = ['svg', 'path'].map((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));
    path?.setAttribute('d', d);
    svg?.setAttribute('viewBox', '0 0 24 24');
    svg?.setAttribute('aria-hidden', 'true');
    svg?.append(path ?? '');
    return svg ?? '';
  }

  function withLinks(text = '') {
    const parts = text.split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}])/i);
    return parts.map((part, index) => (index % 2 === 1 && URL.canParse(part) ? linkTo(part) : part));
  }

  const linkTo = (href = '') => el('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, href);

  /** @param {string | undefined} color */
  const rgbOf = (color = '') =>
    [1, 3, 5].map((at) => parseInt((/^#[\da-f]{6}$/i.test(color) ? color : '#2251d1').slice(at, at + 2), 16));

  /** Black or white, whichever stands out more: at least 4.5:1 on every colour. */
  function inkOn(rgb = [0]) {
    const [red = 0, green = 0, blue = 0] = rgb.map((part) => ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000' : '#fff';
  }

  /** JSON in the browser's storage, or in memory where the page may store nothing. */
  class Drawer {
    /** @type {Kept} */
    #memory = {};
    /** @type {Storage | null} */
    #storage = null;

    /** @param {'localStorage' | 'sessionStorage'} kind */
    constructor(kind, key = '') {
      this.key = key;
      this.#attempt(() => (this.#storage = window[kind]));
    }

    /** @param {() => void} work */
    #attempt(work) {
      try {
        work();
      } catch {
        this.#storage = null;
      }
    }

    read() {
      this.#attempt(() => {
        if (this.#storage) this.#memory = /** @type {Kept} */ (JSON.parse(this.#storage.getItem(this.key) ?? '{}'));
      });
      return this.#memory;
    }

    /** @param {Kept} changes */
    write(changes) {
      this.#memory = { ...this.read(), ...changes };
      this.#attempt(() => this.#storage?.setItem(this.key, JSON.stringify(this.#memory)));
    }

    clear() {
      this.#memory = {};
      this.#attempt(() => this.#storage?.removeItem(this.key));
    }

    /** One tab at a time, where the browser can do that. @param {() => Promise<void>} work @returns {Promise<void>} */
    alone(work) {
      return this.#storage && navigator.locks ? navigator.locks.request(this.key, work) : work();
    }
  }

  /** With jitter, so that after an outage not everybody comes at once. */
  class Backoff {
    #attempts = 0;
    #isHurried = false;
    #wake = () => {};

    /** Nothing shortens what the server has asked for. */
    async pause(leastMs = 0) {
      const ms = Math.min(MAX_PAUSE_MS, MIN_PAUSE_MS * 2 ** this.#attempts++) * (0.5 + Math.random() / 2);
      if (leastMs > 0 || !this.#isHurried) {
        await new Promise((resolve) => {
          if (leastMs === 0) this.#wake = () => resolve(undefined);
          setTimeout(resolve, Math.max(ms, leastMs));
        });
      }
      this.#isHurried = false;
    }

    /** Ends this pause or, when there is none, the next. */
    hurry() {
      this.reset();
      this.#isHurried = true;
      this.#wake();
    }

    reset() {
      this.#attempts = 0;
    }
  }

  // ---------------------------------------------------------------- The server

  class Refusal extends Error {
    constructor(status = 0, reason = '', waitMs = 0) {
      super(`${status} ${reason}`);
      this.status = status;
      this.waitMs = waitMs;
      /** This page may not use the chat, or there is none. */
      this.isForPage = reason === 'ORIGIN_NOT_ALLOWED' || reason === 'CONVERSATION_ACCOUNT_NOT_FOUND';
      /** The same request would be refused again. */
      this.isFinal = status >= 400 && status < 500 && ![401, 408, 425, 429].includes(status) && !this.isForPage;
    }
  }

  /** @param {string} url @param {AskRequest} request */
  async function ask(url, { method = 'GET', token = '', body }) {
    /** @type {Record<string, string>} */
    const headers = token === '' ? {} : { Authorization: `Bearer ${token}` };
    if (body) headers['Content-Type'] = 'application/json';
    // Kept alive, a message arrives also when the visitor has followed a link.
    const content = body ? { body: JSON.stringify(body), keepalive: true } : {};
    const response = await fetch(url, { method, headers, credentials: 'omit', ...content });
    if (response.ok) return response;
    const failure = /** @type {Failure | null} */ (await response.json().catch(() => null));
    throw new Refusal(response.status, failure?.error?.reason, Number(response.headers.get('Retry-After')) * 1000 || 0);
  }

  /** The visitor's messages and the way to the server; nothing of how they are shown. */
  class Chat {
    /** @type {Map<string, Message>} */
    messages = new Map();
    typist = '';
    #olderToken = '';
    isOver = false;
    onChange = () => {};
    /** @type {(message: Message) => void} */
    onMessage = () => {};
    #kept;
    #tab;
    #base;
    #conversation;
    /** @type {Person} What the server has not heard yet. */
    #news = {};
    #isTold = true;
    /** Told when the visitor opens the chat, not before. */
    #isLate = false;
    #isWanted = false;
    #isFollowing = false;
    #isSending = false;
    /** A browser does not say why a socket was refused: a plain request will. */
    #isRefused = false;
    /** @type {Promise<void> | null} */
    #introducing = null;
    #connects = new Backoff();
    #sends = new Backoff();
    /** @type {WebSocket | null} */
    #socket = null;
    #drop = () => {};
    /** @type {number | null} Null: load the messages first. */
    #after = null;
    #endedAt = 0;
    #readAt = 0;
    #typedAt = 0;
    #unacked = 0;
    #timers = { ack: 0, pong: 0, typing: 0 };

    constructor(base = '', account = '') {
      this.#base = base;
      this.#kept = new Drawer('localStorage', `parley:${account}`);
      this.#tab = new Drawer('sessionStorage', `parley:${account}`);
      /** @type {Pending[]} */
      this.pending = this.#tab.read().pending ?? [];
      this.#conversation = this.#kept.read().conversation_id ?? '';
    }

    get #token() {
      return this.#kept.read().visitor_token ?? '';
    }

    get isStranger() {
      return !this.#isWanted && this.#token === '' && !this.#news.identity_token;
    }

    get isEnded() {
      return this.#endedAt > 0 && this.pending.every(({ is_failed }) => is_failed);
    }

    get unread() {
      const seen = this.#kept.read().seen ?? '';
      return this.#answers().filter(({ is_read, tm_create }) => !is_read && tm_create > seen).length;
    }

    /** Oldest first. Sequences are per conversation. */
    get sorted() {
      return [...this.messages.values()].sort((one, other) =>
        one.conversation_id === other.conversation_id
          ? one.sequence - other.sequence
          : one.tm_create.localeCompare(other.tm_create),
      );
    }

    #answers() {
      return [...this.messages.values()].filter(({ direction }) => direction === 'outgoing');
    }

    resume() {
      void this.#follow();
      void this.#flush();
    }

    /** @param {Person} [news] */
    start(news = {}) {
      const isOld = Date.now() - (this.#kept.read().renewed ?? 0) > RENEW_MS;
      this.#news = { ...this.#news, ...news };
      this.#isWanted = true;
      if (isOld || this.#isLate || Object.keys(news).length > 0) {
        this.#isTold = this.#isLate = false;
        this.#again();
      }
      void this.#follow();
    }

    identify(token = '', isLate = this.#token === '' && !this.#isWanted) {
      this.#news = { ...this.#news, identity_token: token };
      this.#isLate = true;
      if (!isLate) this.start();
    }

    shutdown() {
      this.#isWanted = false;
      this.#news = {};
      this.#setPending([]);
      this.#forget();
    }

    send(text = '') {
      // Not randomUUID: pages without https have none.
      const client_id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(36)).join('');
      this.#setPending([...this.pending, { client_id, text, tm_create: new Date().toISOString(), is_failed: false }]);
      this.type();
      void this.#flush();
    }

    mark(id = '', is_failed = false) {
      this.#setPending(this.pending.map((one) => (one.client_id === id ? { ...one, is_failed } : one)));
      void this.#flush();
    }

    async older() {
      const token = this.#olderToken;
      this.#olderToken = '';
      // Whoever scrolls on asks again.
      if (token !== '') await this.#loadPage(token).catch(() => (this.#olderToken = token));
    }

    /** @param {Message} message @param {Media} media */
    async file({ id }, { index }) {
      return (await this.#call(`/messages/${id}/medias/${index}`)).blob();
    }

    markSeen() {
      const answers = this.#answers();
      const seen = answers.reduce((last, { tm_create }) => (tm_create > last ? tm_create : last), '');
      if (seen > (this.#kept.read().seen ?? '')) this.#kept.write({ seen });
      const here = answers.filter(({ conversation_id }) => conversation_id === this.#conversation);
      const sequence = Math.max(0, ...here.map((answer) => answer.sequence));
      if (sequence > this.#readAt && this.#tell({ type: 'read', sequence })) this.#readAt = sequence;
    }

    type(is_typing = false) {
      const now = Date.now();
      if (is_typing ? now - this.#typedAt < TYPING_MS : this.#typedAt === 0) return;
      if (this.#tell({ type: 'typing', is_typing })) this.#typedAt = is_typing ? now : 0;
    }

    /** Another tab has written down something. */
    lookAgain() {
      const { conversation_id = '' } = this.#kept.read();
      if (conversation_id !== this.#conversation) this.#restart(conversation_id);
      void this.#follow();
      this.onChange();
    }

    /** The old socket may be dead without knowing it. */
    comeBack() {
      this.#sends.hurry();
      this.#again();
    }

    /** Is the socket still good? */
    check() {
      if (this.#socket?.readyState !== WebSocket.OPEN) return this.#connects.hurry();
      this.#socket.send('ping');
      clearTimeout(this.#timers.pong);
      this.#timers.pong = setTimeout(() => this.#again(), PONG_MS);
    }

    // ------------------------------ Requests

    /** @param {string} path @param {AskRequest} [request] */
    async #call(path, request = {}) {
      const token = this.#token;
      const response = await ask(`${this.#base}${path}`, { ...request, token });
      if (this.#token !== token) throw new Error('somebody else’s by now');
      return response;
    }

    async #ready() {
      if (this.#token !== '' && this.#isTold) return;
      // Two new tabs are still one visitor.
      this.#introducing ??= this.#kept.alone(() => this.#introduce()).finally(() => (this.#introducing = null));
      await this.#introducing;
    }

    async #introduce() {
      const news = this.#news;
      const token = this.#token;
      try {
        const body = { ...news, ...(token === '' ? {} : { visitor_token: token }) };
        const response = await ask(`${this.#base}/sessions`, { method: 'POST', body });
        const { visitor_token, conversation_id } = /** @type {Session} */ (await response.json());
        this.#kept.write({ visitor_token, conversation_id, renewed: Date.now() });
        if (conversation_id !== this.#conversation) this.#restart(conversation_id);
        this.#isTold = news === this.#news;
      } catch (error) {
        this.#drops(error, token, Object.keys(news).join(', '));
        await this.#introduce();
      }
    }

    /** Better a new visitor, or one without a name, than none. @param {unknown} error */
    #drops(error, token = '', news = '') {
      const status = error instanceof Refusal ? error.status : 0;
      if (status === 401 && token !== '') return this.#forget();
      if (![400, 401].includes(status) || news === '') throw error;
      warn(`the server does not take ${news}: ${String(error)}`);
      this.#news = {};
    }

    async #loadPage(token = '') {
      const response = await this.#call(`/messages?page_size=50&page_token=${encodeURIComponent(token)}`);
      const { result, next_page_token = '' } = /** @type {MessagePage} */ (await response.json());
      this.#olderToken = next_page_token;
      for (const message of result) this.#put(message);
      this.onChange();
      return Math.max(0, ...result.map(({ sequence }) => sequence));
    }

    /** @param {unknown} error @param {Backoff} backoff */
    async #recover(error, backoff) {
      const refusal = error instanceof Refusal ? error : null;
      if (refusal?.status === 401) this.#forget();
      if (refusal?.isForPage) return this.#end(refusal);
      await backoff.pause(refusal?.waitMs);
    }

    /** @param {Refusal} refusal */
    #end(refusal) {
      if (this.isOver) return;
      this.isOver = true;
      warn(`the chat does not show itself on ${location.origin}: ${refusal.message}`);
      this.onChange();
    }

    #forget() {
      this.#kept.clear();
      this.#restart();
    }

    #restart(conversation = '') {
      this.messages.clear();
      this.#olderToken = '';
      this.typist = '';
      this.#enter(conversation, null);
      this.onChange();
    }

    /** @param {string} conversation @param {number | null} after */
    #enter(conversation, after) {
      this.#conversation = conversation;
      this.#after = after;
      this.#endedAt = this.#readAt = 0;
      this.#drop();
    }

    // ------------------------------ What the visitor writes

    /** One at a time: in their order. */
    async #flush() {
      if (this.#isSending) return;
      this.#isSending = true;
      for (;;) {
        const next = this.pending.find(({ is_failed }) => !is_failed);
        if (!next || this.isOver) break;
        await this.#deliver(next);
      }
      this.#isSending = false;
    }

    /** @param {Pending} pending */
    async #deliver({ text, client_id }) {
      try {
        await this.#ready();
        const response = await this.#call('/messages', { method: 'POST', body: { text, client_id } });
        this.#taken(/** @type {Message} */ (await response.json()));
      } catch (error) {
        if (!(error instanceof Refusal && error.isFinal)) return this.#recover(error, this.#sends);
        this.mark(client_id, true);
      }
    }

    /** @param {Message} message */
    #taken(message) {
      this.#sends.reset();
      this.#isWanted = true;
      void this.#follow();
      if (message.conversation_id !== this.#conversation) {
        this.#kept.write({ conversation_id: message.conversation_id });
        this.#enter(message.conversation_id, 0);
        this.#connects.hurry();
      }
      this.#putNew(message);
      this.onChange();
    }

    /** @param {Pending[]} pending */
    #setPending(pending) {
      this.pending = pending;
      this.#tab.write({ pending });
      this.onChange();
    }

    /** @param {Message} message */
    #put(message) {
      this.messages.set(message.id, message);
      const rest = this.pending.filter(({ client_id }) => client_id !== message.client_id);
      if (rest.length < this.pending.length) this.#setPending(rest);
      if (message.sequence > this.#endedAt) this.#endedAt = 0;
    }

    /** @param {Message} message */
    #putNew(message) {
      const isKnown = this.messages.has(message.id);
      this.#put(message);
      if (isKnown) return;
      if (message.direction === 'outgoing') this.typist = '';
      this.onMessage(message);
    }

    // ------------------------------ What happens, live

    async #follow() {
      if (this.#isFollowing) return;
      this.#isFollowing = true;
      while (!this.isOver && (this.#isWanted || this.#token !== '')) {
        try {
          await this.#ready();
          if (this.#isRefused) await this.#call('/messages?page_size=1');
          if (this.#after === null) await this.#load();
          await this.#listen();
          await this.#connects.pause();
        } catch (error) {
          await this.#recover(error, this.#connects);
        }
      }
      this.#isFollowing = false;
    }

    async #load() {
      const conversation = this.#conversation;
      const place = await this.#loadPage();
      if (conversation !== this.#conversation) throw new Error('elsewhere by now');
      this.#after ??= place;
    }

    #listen() {
      const url = `${this.#base.replace('http', 'ws')}/ws?after=${this.#after ?? 0}`;
      const socket = new WebSocket(url, [`visitor.${this.#token}`, 'parley.v1']);
      const pings = setInterval(() => this.check(), PING_MS);
      this.#socket = socket;
      this.#isRefused = true;
      socket.onopen = () => (this.#isRefused = false);
      socket.onmessage = ({ data }) => this.#take(String(data));
      return new Promise((resolve) => {
        // A dead network never brings the other side's goodbye.
        this.#drop = () => {
          socket.onmessage = socket.onclose = null;
          socket.close();
          clearInterval(pings);
          this.#drop = () => {};
          this.#socket = null;
          resolve(undefined);
        };
        socket.onclose = ({ code }) => {
          if (code === CLOSE_UNAUTHORIZED) {
            // Perhaps the conversation has gone on in another: the session says where.
            this.#isRefused = true;
            this.#isTold = false;
          }
          this.#drop();
        };
      });
    }

    #again() {
      clearTimeout(this.#timers.pong);
      this.#connects.hurry();
      this.#drop();
    }

    /** @param {object} frame */
    #tell(frame) {
      if (this.#socket?.readyState !== WebSocket.OPEN) return false;
      this.#socket.send(JSON.stringify(frame));
      return true;
    }

    #take(data = '') {
      clearTimeout(this.#timers.pong);
      if (data === 'pong') return;
      const frame = /** @type {Frame} */ (JSON.parse(data));
      if ('sequence' in frame) this.#advance(frame.sequence);
      this.#apply(frame);
      this.onChange();
    }

    /** @param {Frame} frame */
    #apply(frame) {
      if (frame.type === 'message') this.#putNew(frame.data);
      else if (frame.type === 'message_deleted') this.messages.delete(frame.data.id);
      else if (frame.type === 'closed') this.#endedAt = frame.sequence;
      else if (frame.type === 'caught_up') this.#connects.reset();
      else if (frame.type === 'typing') this.#showTyping(frame.data);
      else if (frame.type === 'resync') {
        this.messages.clear();
        this.#loadPage().catch(() => this.#restart(this.#conversation));
      }
    }

    /** @param {Typing} data */
    #showTyping({ is_typing, name }) {
      clearTimeout(this.#timers.typing);
      this.typist = is_typing ? name || '…' : '';
      if (is_typing)
        this.#timers.typing = setTimeout(() => this.#showTyping({ is_typing: false, name }), TYPING_ENDS_MS);
      this.onChange();
    }

    /** The server sends only so far ahead of it. */
    #advance(sequence = 0) {
      this.#after = sequence;
      this.#unacked += 1;
      if (this.#unacked >= ACK_FRAMES) this.#acknowledge();
      else this.#timers.ack ||= setTimeout(() => this.#acknowledge(), ACK_MS);
    }

    #acknowledge() {
      clearTimeout(this.#timers.ack);
      this.#timers.ack = 0;
      this.#unacked = 0;
      this.#tell({ type: 'ack', sequence: this.#after });
    }
  }

  // ---------------------------------------------------------------- What is seen

  const CHAT_ICON = 'M4 5h16v11H10l-4 4v-4H4z';
  const CLOSE_ICON = 'M6 6l12 12M18 6 6 18';
  const SEND_ICON = 'M4 12h15M13 6l6 6-6 6';
  const FILE_ICON = 'M6 3h8l4 4v14H6zM14 3v4h4';

  const STYLE = `
    :host { all: initial !important; direction: ltr !important; }
    * { box-sizing: border-box; }
    [hidden] { display: none !important; }
    .root { --paper: #fff; --ink: #1b1c20; --faint: #5b5f69; --bubble: #eef0f4; --edge: #858a95; --bad: #b3261e;
      font: 15px/1.45 system-ui, sans-serif; color: var(--ink);
      position: fixed; z-index: 2147483000; }
    button, input, textarea { font: inherit; color: inherit; margin: 0; }
    button { cursor: pointer; border: 0; background: none; padding: 0; }
    :focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; box-shadow: 0 0 0 2px var(--paper); }
    .panel:focus { outline: none; }
    svg { width: 24px; height: 24px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; display: block; }
    .launcher svg { width: 28px; height: 28px; }
    .launcher, .start, .send, header, .mine .bubble, .newer { background: var(--accent); color: var(--on-accent); }
    .launcher { position: fixed; right: 20px; bottom: calc(20px + env(safe-area-inset-bottom));
      width: 56px; height: 56px; border-radius: 50%; display: grid; place-items: center; box-shadow: 0 2px 12px #0006; }
    .left > * { right: auto !important; left: 20px; }
    .badge { position: absolute; top: -4px; right: -4px; min-width: 22px; padding: 0 6px; border-radius: 11px; background: #b3261e; color: #fff;
      font-size: 13px; line-height: 22px; font-weight: 600; text-align: center; }
    .panel { position: fixed; right: 20px; bottom: calc(88px + env(safe-area-inset-bottom));
      width: min(380px, 100vw - 40px); height: min(600px, 100dvh - 108px); display: flex; flex-direction: column; overflow: hidden;
      background: var(--paper); border-radius: 16px; box-shadow: 0 8px 40px #0005, 0 0 0 1px #8886; animation: rise .18s ease-out; }
    @keyframes rise { from { opacity: 0; transform: translateY(12px); } }
    header { display: flex; align-items: center; gap: 8px; padding: 8px 8px 8px 18px; flex: none; }
    header :focus-visible { outline-color: var(--on-accent); box-shadow: none; }
    header :focus-visible, .log:focus-visible { outline-offset: -4px; }
    h2 { flex: 1; margin: 0; font-size: 17px; font-weight: 600; overflow-wrap: anywhere; }
    .close, .send { flex: none; width: 44px; height: 44px; border-radius: 50%; display: grid; place-items: center; }
    .notice { margin: 0; padding: 8px 18px; background: var(--bubble); font-size: 13px; }
    .ask { flex: 1; overflow: auto; padding: 20px 18px; display: flex; flex-direction: column; gap: 14px; }
    .ask p { margin: 0; }
    label { display: grid; gap: 4px; font-size: 14px; }
    input, textarea { font-size: 16px; padding: 10px 12px; border: 1px solid var(--edge); border-radius: 10px; background: var(--paper); width: 100%; }
    .start { padding: 11px 18px; border-radius: 10px; font-weight: 600; }
    .log { flex: 1; overflow: hidden auto; overscroll-behavior: contain; overflow-anchor: none; padding: 12px 16px; display: flex; flex-direction: column; }
    .day, .line { align-self: center; text-align: center; color: var(--faint); font-size: 13px; margin: 10px 0 6px; }
    .day::first-letter { text-transform: uppercase; }
    .row { max-width: 82%; align-self: flex-start; margin-top: 4px; display: flex; flex-direction: column; align-items: flex-start; }
    .mine { align-self: flex-end; align-items: flex-end; }
    .name, .meta { color: var(--faint); font-size: 12.5px; }
    .name { margin: 8px 12px 2px; }
    .bubble { padding: 8px 13px; border-radius: 16px; background: var(--bubble); white-space: pre-wrap; overflow-wrap: anywhere; }
    .bubble a { color: inherit; }
    .file { display: flex; align-items: center; gap: 8px; text-decoration: underline; padding: 8px 13px; margin-top: 4px; min-height: 40px;
      border-radius: 16px; border: 1px solid var(--edge); overflow-wrap: anywhere; }
    .file svg { flex: none; }
    .meta { margin: 2px 12px 4px; }
    .bad { color: var(--bad); }
    .retry { text-decoration: underline; font-weight: 600; padding: 4px; margin: -4px 0; }
    .aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    .newer { align-self: center; padding: 6px 14px; border-radius: 16px; margin: -40px 0 6px; font-size: 13px; font-weight: 600; box-shadow: 0 2px 8px #0005; z-index: 1; }
    .typing { color: var(--faint); font-size: 13px; padding: 0 18px; min-height: 22px; flex: none; }
    .composer { flex: none; display: flex; align-items: flex-end; gap: 8px; padding: 4px 12px calc(12px + env(safe-area-inset-bottom)); }
    textarea { resize: none; max-height: 132px; min-height: 44px; line-height: 22px; border-radius: 22px; }
    textarea::placeholder { color: var(--faint); opacity: 1; }
    @media ${PHONE} {
      .panel { inset: var(--top, 0) 0 auto !important; width: auto; height: var(--height, 100dvh); border-radius: 0; box-shadow: none; }
      header { padding-top: calc(8px + env(safe-area-inset-top)); }
      .open .launcher { display: none; }
    }
    @media (prefers-color-scheme: dark) {
      .root { --paper: #1b1c20; --ink: #f3f4f6; --faint: #adb1bb; --bubble: #2e3038; --edge: #8b909b; --bad: #ffb4ab; color-scheme: dark; }
    }
    @media (prefers-reduced-motion: reduce) { .panel { animation: none; } }
  `;

  /** @typedef {ReturnType<typeof optionsOf>} Options */

  /** @param {Options} options */
  function build({ texts, title, asks, ...options }) {
    const badge = el('span', { class: 'badge', 'aria-hidden': 'true' });
    const launcher = el('button', { class: 'launcher', 'aria-haspopup': 'dialog' });
    const close = el('button', { class: 'close', 'aria-label': texts.close }, icon(CLOSE_ICON));
    const notice = el('p', { class: 'notice', role: 'status', hidden: '' });
    const start = el('button', { class: 'start' }, texts.skip);
    const fields = asks.map((name) => fieldOf(name, texts));
    const ask = el('form', { class: 'ask' }, el('p', {}, texts.hello), el('p', {}, texts.ask), ...fields, start);
    const log = el('div', { class: 'log', role: 'log', 'aria-live': 'polite', 'aria-label': texts.log, tabindex: '0' });
    const newer = el('button', { class: 'newer' });
    const typing = el('div', { class: 'typing', role: 'status' });
    const limits = { rows: '1', maxlength: '5000', enterkeyhint: 'send' };
    const textarea = el('textarea', { ...limits, placeholder: texts.write, 'aria-label': texts.write });
    const send = el('button', { class: 'send', 'aria-label': texts.send }, icon(SEND_ICON));
    const composer = el('form', { class: 'composer' }, textarea, send);
    const talk = [log, newer, typing, composer];
    const header = el('header', {}, el('h2', { id: 'title' }, title), close);
    const dialog = { class: 'panel', role: 'dialog', 'aria-labelledby': 'title', tabindex: '-1', hidden: '' };
    const panel = el('section', dialog, header, notice, ask, ...talk);
    const root = el('div', { class: `root ${options.position}`, lang: options.lang }, launcher, panel);
    root.style.setProperty('--accent', options.color);
    root.style.setProperty('--on-accent', options.ink);
    return { badge, launcher, close, notice, start, ask, log, newer, typing, textarea, composer, talk, panel, root };
  }

  /** @param {'name' | 'email'} name @param {Texts} texts */
  function fieldOf(name, texts) {
    const type = name === 'email' ? 'email' : 'text';
    return el('label', {}, texts[name], el('input', { name, type, autocomplete: name, maxlength: '100' }));
  }

  class View {
    #chat;
    #options;
    #texts;
    #parts;
    #host = el('div', { id: 'parley-chat' });
    #shadow = this.#host.attachShadow({ mode: 'open' });
    #phone = matchMedia(PHONE);
    #isOpen = false;
    #isDue = false;
    #isAtEnd = true;
    /** @type {Map<string, { node: HTMLElement, sign: string }>} */
    #rows = new Map();

    /** @param {Chat} chat @param {Options} options */
    constructor(chat, options) {
      this.#chat = chat;
      this.#options = options;
      this.#texts = options.texts;
      this.#parts = build(options);
      this.#shadow.append(this.#parts.root);
      // A page's Content-Security-Policy has no say over a constructed sheet.
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.#shadow.adoptedStyleSheets = [sheet];
      this.#listen();
      this.#listenToTyping();
      chat.onChange = () => this.changed();
      this.#render();
    }

    #listen() {
      const { launcher, close, ask, newer, log, panel } = this.#parts;
      launcher.onclick = () => (this.#isOpen ? this.close() : this.open());
      close.onclick = () => this.close();
      newer.onclick = () => {
        this.#toEnd();
        this.#parts.textarea.focus();
      };
      log.onscroll = () => this.#scrolled();
      panel.onkeydown = (event) => this.#pressed(event);
      ask.oninput = () =>
        (this.#parts.start.textContent = this.#texts[Object.keys(this.#person).length > 0 ? 'start' : 'skip']);
      ask.onsubmit = (event) => {
        event.preventDefault();
        this.#chat.start(this.#person);
        this.#render();
        this.#parts.textarea.focus();
      };
      visualViewport?.addEventListener('resize', () => this.#fit());
    }

    #listenToTyping() {
      const { composer, textarea } = this.#parts;
      composer.onsubmit = (event) => {
        event.preventDefault();
        this.#send();
      };
      textarea.oninput = () => {
        this.#chat.type(textarea.value.trim() !== '');
        this.#grow();
      };
      textarea.onkeydown = (event) => {
        // Enter also ends a Korean or Japanese composition; Safari says so by 229.
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
        event.preventDefault();
        this.#send();
      };
    }

    /** @returns {Person} */
    get #person() {
      return Object.fromEntries([...new FormData(this.#parts.ask)].filter(([, value]) => value !== ''));
    }

    open() {
      if (this.#chat.isOver) return;
      this.show();
      this.#isOpen = true;
      if (!this.#isAsking) this.#chat.start();
      this.#render();
      this.#toEnd();
      this.#focus();
    }

    close() {
      if (!this.#isOpen) return;
      this.#isOpen = false;
      this.#render();
      this.#parts.launcher.focus();
    }

    show() {
      if (!this.#host.isConnected) document.body.append(this.#host);
    }

    remove() {
      this.#isOpen = false;
      this.#parts.ask.reset();
      this.#parts.textarea.value = '';
      this.#render();
      this.#host.remove();
    }

    get #isAsking() {
      return this.#options.asks.length > 0 && this.#chat.isStranger && this.#chat.pending.length === 0;
    }

    /** On a phone not the text: its keyboard would cover half of it. */
    #focus() {
      const { panel, textarea, ask } = this.#parts;
      if (this.#phone.matches) panel.focus();
      else (this.#isAsking ? ask.querySelector('input') : textarea)?.focus();
    }

    #send() {
      const { textarea } = this.#parts;
      const text = textarea.value.trim();
      if (text === '') return;
      textarea.value = '';
      this.#grow();
      this.#isAtEnd = true;
      this.#chat.send(text);
    }

    #grow() {
      const { textarea } = this.#parts;
      textarea.style.height = 'auto';
      textarea.style.height = `${textarea.scrollHeight + 2}px`;
      if (this.#isAtEnd) this.#toEnd();
    }

    /** Above an on-screen keyboard. */
    #fit() {
      if (!visualViewport || visualViewport.scale !== 1) return;
      this.#parts.root.style.setProperty('--height', `${visualViewport.height}px`);
      this.#parts.root.style.setProperty('--top', `${visualViewport.offsetTop}px`);
      if (this.#isAtEnd) this.#toEnd();
    }

    // ------------------------------ Keys and scrolling

    /** @param {KeyboardEvent} event */
    #pressed(event) {
      if (event.key === 'Escape' && !event.isComposing) {
        event.stopPropagation();
        this.close();
      }
      if (event.key === 'Tab' && this.#phone.matches) this.#trap(event);
    }

    /** @param {KeyboardEvent} event */
    #trap(event) {
      const all = /** @type {NodeListOf<HTMLElement>} */ (
        this.#parts.panel.querySelectorAll('button, input, textarea, a, [tabindex="0"]')
      );
      const seen = [...all].filter((one) => one.getClientRects().length > 0);
      const { shiftKey } = event;
      const active = this.#shadow.activeElement;
      if (active !== seen.at(shiftKey ? 0 : -1) && !(shiftKey && active === this.#parts.panel)) return;
      event.preventDefault();
      seen.at(shiftKey ? -1 : 0)?.focus();
    }

    #toEnd() {
      this.#isAtEnd = true;
      this.#parts.log.scrollTop = this.#parts.log.scrollHeight;
      this.changed();
    }

    #scrolled() {
      const { log } = this.#parts;
      this.#isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      this.changed();
      if (log.scrollTop < 60) void this.#chat.older();
    }

    // ------------------------------ Rendering

    /** Once, however much it is. */
    changed() {
      if (this.#isDue) return;
      this.#isDue = true;
      queueMicrotask(() => {
        this.#isDue = false;
        this.#render();
      });
    }

    #render() {
      if (this.#chat.isOver) return this.#host.remove();
      const { root, panel, notice, ask, talk, newer, typing } = this.#parts;
      root.classList.toggle('open', this.#isOpen);
      panel.hidden = !this.#isOpen;
      this.#renderLauncher();
      if (!this.#isOpen) return;
      panel.ariaModal = this.#phone.matches ? 'true' : null;
      notice.hidden = navigator.onLine;
      notice.textContent = navigator.onLine ? '' : this.#texts.offline;
      ask.hidden = !this.#isAsking;
      for (const part of talk) part.hidden = this.#isAsking;
      if (this.#isAsking) return;
      const { typist } = this.#chat;
      const line = typist === '' ? '' : fill(this.#texts.typing, typist);
      if (typing.textContent !== line) typing.textContent = line;
      this.#renderLog();
      if (this.#isAtEnd && document.visibilityState === 'visible') this.#chat.markSeen();
      const { unread } = this.#chat;
      newer.hidden = this.#isAtEnd || unread === 0;
      newer.textContent = `${fill(this.#texts.unread, `${unread}`)} ↓`;
    }

    #renderLauncher() {
      const { launcher, badge } = this.#parts;
      const { unread } = this.#chat;
      const title = this.#isOpen ? this.#texts.close : this.#options.title;
      const label = unread > 0 && !this.#isOpen ? `${title} (${fill(this.#texts.unread, `${unread}`)})` : title;
      if (launcher.ariaLabel === label && launcher.ariaExpanded === String(this.#isOpen)) return;
      launcher.ariaLabel = label;
      launcher.ariaExpanded = String(this.#isOpen);
      badge.textContent = unread > 99 ? '99+' : String(unread);
      badge.hidden = unread === 0 || this.#isOpen;
      launcher.replaceChildren(icon(this.#isOpen ? CLOSE_ICON : CHAT_ICON), badge);
    }

    /** Only what has changed: a screen reader reads what is new. */
    #renderLog() {
      const { log } = this.#parts;
      const fromEnd = log.scrollHeight - log.scrollTop;
      const rows = this.#list();
      const isOlder = this.#rows.size > 0 && rows[1] !== undefined && !this.#rows.has(rows[1].key);
      const keys = new Set(rows.map(({ key }) => key));
      for (const [key, { node }] of this.#rows) {
        if (keys.has(key)) continue;
        node.remove();
        this.#rows.delete(key);
      }
      rows.forEach((row, index) => this.#place(row, index));
      if (this.#isAtEnd) log.scrollTop = log.scrollHeight;
      else if (isOlder) log.scrollTop = log.scrollHeight - fromEnd;
    }

    /** @param {Row} row @param {number} index */
    #place({ key, sign, name, make }, index) {
      const { log } = this.#parts;
      const row = this.#rows.get(key) ?? { node: el('div'), sign: '' };
      this.#rows.set(key, row);
      if (row.sign !== sign) {
        row.sign = sign;
        row.node.className = name;
        // Nobody needs to be told what they have written themselves.
        row.node.ariaLive = name.includes('mine') ? 'off' : null;
        row.node.replaceChildren(...make());
      }
      const there = log.children[index] ?? null;
      if (there !== row.node) log.insertBefore(row.node, there);
    }

    /** @returns {Row[]} */
    #list() {
      /** @type {Row[]} */
      const rows = [];
      /** @type {Said | null} */
      let last = null;
      for (const said of this.#said()) {
        const day = this.#dayOf(said.tm_create);
        const isNewDay = !last || this.#dayOf(last.tm_create) !== day;
        if (isNewDay)
          rows.push({ key: `day ${said.tm_create.slice(0, 10)} ${day}`, sign: day, name: 'day', make: () => [day] });
        rows.push(this.#row(said, isNewDay || last?.by !== said.by));
        last = said;
      }
      const { hello, ended } = this.#texts;
      if (rows.length === 0) rows.push({ key: 'hello', sign: hello, name: 'line', make: () => [hello] });
      if (this.#chat.isEnded) rows.push({ key: 'ended', sign: ended, name: 'line', make: () => [ended] });
      return rows;
    }

    /** What waits keeps its key when it is a message. @returns {Said[]} */
    #said() {
      const messages = this.#chat.sorted.map((message) => {
        const { id, client_id, direction, text, tm_create, sender } = message;
        const isMine = direction === 'incoming';
        return { key: (isMine && client_id) || id, by: isMine ? '' : `by ${sender.name}`, text, tm_create, message };
      });
      const waiting = this.#chat.pending.map((pending) => ({ ...pending, key: pending.client_id, by: '', pending }));
      return [...messages, ...waiting];
    }

    /** @param {Said} said @param {boolean} isFirst @returns {Row} */
    #row({ key, by, text, tm_create, pending, message }, isFirst) {
      const isMine = by === '';
      const medias = message?.medias ?? [];
      const state = pending ? String(pending.is_failed) : tm_create;
      const name = isMine ? this.#texts.you : (message?.sender.name ?? '');
      const make = () => [
        ...(isFirst && name !== '' ? [el('span', { class: isMine ? 'aside' : 'name' }, name)] : []),
        ...(text === '' ? [] : [el('div', { class: 'bubble', dir: 'auto' }, ...withLinks(text))]),
        ...(message ? medias.map((media) => this.#file(message, media)) : []),
        this.#meta(tm_create, pending),
      ];
      const sign = JSON.stringify([text, state, isFirst, medias, name]);
      return { key, sign, name: isMine ? 'row mine' : 'row', make };
    }

    /** @param {string} time @param {Pending} [pending] */
    #meta(time, pending) {
      const { sending, failed, retry } = this.#texts;
      if (!pending) return el('time', { class: 'meta', datetime: time }, this.#options.clock.format(new Date(time)));
      if (!pending.is_failed) return el('span', { class: 'meta' }, sending);
      const button = el('button', { class: 'retry' }, retry);
      button.onclick = () => {
        this.#parts.textarea.focus();
        this.#chat.mark(pending.client_id, false);
      };
      return el('span', { class: 'meta bad', role: 'alert' }, `${failed} `, button);
    }

    /** @param {Message} message @param {Media} media */
    #file(message, media) {
      const name = media.filename || media.type;
      const button = el('button', { class: 'file' }, icon(FILE_ICON), name);
      // Saved, never shown: a blob's page has the site's own origin.
      button.onclick = async () => {
        const blob = await this.#chat.file(message, media).catch(() => null);
        if (!blob) return button.append(` ⚠ ${this.#texts.retry}`);
        const href = URL.createObjectURL(blob);
        el('a', { href, download: name }).click();
        setTimeout(() => URL.revokeObjectURL(href), 60_000);
      };
      return button;
    }

    #dayOf(time = '') {
      const date = new Date(time);
      const isToday = date.toDateString() === new Date().toDateString();
      return isToday ? this.#options.near.format(0, 'day') : this.#options.days.format(date);
    }
  }

  // ---------------------------------------------------------------- The script's own tag

  /** @param {DOMStringMap} data */
  function optionsOf(data) {
    const wanted = data['lang'] || document.documentElement.lang || navigator.language;
    const lang = LANGUAGES.find((one) => wanted.toLowerCase().startsWith(one)) ?? 'en';
    const texts = textsIn(lang);
    const rgb = rgbOf(data['color']);
    const asked = (data['ask'] ?? 'name email').split(/\s+/);
    return {
      lang,
      texts,
      title: data['title'] || texts.title,
      position: data['position'] === 'left' ? 'left' : 'right',
      color: `rgb(${rgb.join(' ')})`,
      ink: inkOn(rgb),
      asks: /** @type {const} */ (['name', 'email']).filter((name) => asked.includes(name)),
      clock: new Intl.DateTimeFormat(lang, { hour: 'numeric', minute: '2-digit' }),
      days: new Intl.DateTimeFormat(lang, { weekday: 'long', month: 'long', day: 'numeric' }),
      near: new Intl.RelativeTimeFormat(lang, { numeric: 'auto' }),
    };
  }

  /** @param {DOMStringMap} data */
  function begin(data, origin = '', account = '') {
    const chat = new Chat(`${origin}/chat/${encodeURIComponent(account)}`, account);
    const view = new View(chat, optionsOf(data));
    chat.onMessage = (detail) => window.dispatchEvent(new CustomEvent('parley:message', { detail }));
    window.addEventListener('storage', ({ key }) => (key === null || key === `parley:${account}`) && chat.lookAgain());
    window.addEventListener('online', () => {
      chat.comeBack();
      view.changed();
    });
    window.addEventListener('offline', () => view.changed());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState !== 'visible') return;
      chat.check();
      view.changed();
    });
    if (data['identityToken']) chat.identify(data['identityToken'], true);
    view.show();
    chat.resume();
    return {
      open: () => view.open(),
      close: () => view.close(),
      identify: (token = '') => chat.identify(token),
      /** As after a logout. */
      shutdown: () => {
        chat.shutdown();
        view.remove();
      },
    };
  }

  // Only now: later it is null.
  const script = document.currentScript;
  if (script instanceof HTMLScriptElement && !('Parley' in window)) {
    const { dataset, src } = script;
    const account = dataset['account'] ?? '';
    const run = () => Object.assign(window, { Parley: begin(dataset, new URL(src).origin, account) });
    if (account === '') warn('the script tag names no data-account');
    else if (document.body) run();
    else document.addEventListener('DOMContentLoaded', run);
  }
}

/** What public/widget.js is checked with: nothing of this is sent to a browser. */

interface Media {
  type: string;
  filename: string;
  index: number;
}

interface Message {
  id: string;
  conversation_id: string;
  sequence: number;
  /** `incoming`: the visitor wrote it. */
  direction: 'incoming' | 'outgoing';
  text: string;
  medias: Media[];
  sender: { type: 'visitor' | 'person' | 'automatic'; name: string };
  client_id: string;
  tm_create: string;
  is_read: boolean;
}

/** What was written and not taken yet. */
interface Pending {
  client_id: string;
  text: string;
  tm_create: string;
  is_failed: boolean;
}

interface Session {
  visitor_token: string;
  conversation_id: string;
}

interface MessagePage {
  result: Message[];
  next_page_token?: string;
}

interface Typing {
  is_typing: boolean;
  name: string;
}

type Frame =
  | { type: 'message'; sequence: number; data: Message }
  | { type: 'message_deleted'; sequence: number; data: { id: string } }
  | { type: 'closed' | 'skip' | 'caught_up' | 'resync'; sequence: number }
  | { type: 'typing'; data: Typing };

interface Failure {
  error?: { reason?: string };
}

/** Who the visitor is: as typed, or as the site vouches for. */
interface Person {
  name?: string;
  email?: string;
  identity_token?: string;
}

/** What a browser keeps; a page that may store nothing forgets it on leaving. */
interface Kept {
  visitor_token?: string;
  conversation_id?: string;
  /** When the token was made. */
  renewed?: number;
  /** The time of the newest message that was seen. */
  seen?: string;
  /** Of one tab alone, over reloads and on the site's next page. */
  pending?: Pending[];
}

/** A message as it is shown, or what waits to be one. `by` is empty for the visitor. */
interface Said {
  key: string;
  by: string;
  text: string;
  tm_create: string;
  pending?: Pending;
  message?: Message;
}

/** A line of the log; `sign` changes when it looks different. */
interface Row {
  key: string;
  sign: string;
  name: string;
  make: () => (Node | string)[];
}

interface AskRequest {
  method?: string;
  token?: string;
  body?: object;
}

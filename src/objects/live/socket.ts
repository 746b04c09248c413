const encoder = new TextEncoder();

/** The size of a text in UTF-8: Korean takes three bytes a character. */
export const bytesOf = (text: string): number => encoder.encode(text).length;

export const sizeOf = (data: string | ArrayBuffer): number =>
  typeof data === 'string' ? bytesOf(data) : data.byteLength;

/** The JSON of a text frame; undefined for everything else. */
export function parseFrame(data: string | ArrayBuffer): unknown {
  if (typeof data !== 'string') return undefined;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** A socket may close at any moment, so that sending to a closed one is no error. */
export function send(socket: WebSocket, text: string): void {
  try {
    socket.send(text);
  } catch {
    close(socket, 1011, 'send failed');
  }
}

export function close(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason);
  } catch {
    // Closed already.
  }
}

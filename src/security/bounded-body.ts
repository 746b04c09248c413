/**
 * A body's beginning, at most so many bytes of it, as text; null when it is longer. The rest is never read.
 * @throws when the connection breaks or its time is over.
 */
export async function readBounded(response: Response, maxBytes: number): Promise<string | null> {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  let text = '';
  let left = maxBytes;
  while (reader) {
    const read: { value?: unknown } = await reader.read();
    if (!(read.value instanceof Uint8Array)) break;
    left -= read.value.byteLength;
    if (left < 0) {
      await reader.cancel();
      return null;
    }
    text += decoder.decode(read.value, { stream: true });
  }
  return text + decoder.decode();
}

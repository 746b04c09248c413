import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { HEAD_BYTES, kindOfFile } from '../../security/file-kind.ts';
import { putFile, type StoredFile } from '../../storage/medias.ts';

/** What somebody uploads. */
export interface Upload {
  customerId: string;
  filename: string;
  /** A MIME type without parameters. */
  declared: string;
  /** Bytes, as Content-Length says. */
  size: number;
  body: ReadableStream<Uint8Array>;
}

/**
 * Streams a file into R2: its first bytes tell its kind, and the rest is never held in memory. An upload that breaks off leaves nothing.
 * Refused when it breaks off, and for kinds that are not stored. @throws when R2 fails.
 */
export async function storeUpload(env: Env, upload: Upload): Promise<Result<StoredFile, Refusal>> {
  const reader = upload.body.getReader();
  const head = await readHead(reader);
  if (head === null) return err(BROKE_OFF);
  const kind = await kindOfFile(head, upload.declared);
  if (!kind.ok) {
    await reader.cancel();
    return err({ code: 'INVALID_FIELD', field: 'body', problem: kind.error });
  }
  const file = { id: crypto.randomUUID(), type: kind.value, filename: upload.filename };
  // R2 wants to know the length beforehand, and this stream fails when fewer bytes come.
  const { readable, writable } = new FixedLengthStream(upload.size);
  const [copied, stored] = await Promise.allSettled([
    copy(head, reader, writable, upload.size),
    putFile(env, upload.customerId, file, readable),
  ]);
  if (copied.status === 'rejected') return err(BROKE_OFF);
  if (stored.status === 'rejected') throw stored.reason;
  return ok({ ...file, size: upload.size });
}

const BROKE_OFF: Refusal = {
  code: 'INVALID_FIELD',
  field: 'body',
  problem: 'ended before Content-Length bytes were received',
};

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Null when the connection breaks before. */
async function readHead(reader: Reader): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < HEAD_BYTES) {
      const { value } = await reader.read();
      if (!value) break;
      chunks.push(value);
      length += value.byteLength;
    }
  } catch {
    return null;
  }
  return concatenated(chunks, length);
}

function concatenated(chunks: Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

async function copy(
  head: Uint8Array,
  reader: Reader,
  writable: WritableStream<Uint8Array>,
  size: number,
): Promise<void> {
  const writer = writable.getWriter();
  let left = size;
  try {
    for (let chunk: Uint8Array | undefined = head; chunk; chunk = (await reader.read()).value) {
      left -= chunk.byteLength;
      await writer.write(chunk);
    }
    if (left !== 0) throw new Error('the body has another length than it said');
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => undefined);
    throw error;
  }
}

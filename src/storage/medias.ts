import { readAtMost } from '../security/bounded-body.ts';

/**
 * Files in R2: `customers/<customer>/uploads/<id>` are uploads, `customers/<customer>/conversations/<conversation>/<message>/<index>` are
 * copies of contacts' files. All files of a customer are below its prefix.
 */
export interface StoredFile {
  id: string;
  /** Detected from the content (security/file-kind.ts). */
  type: string;
  filename: string;
  /** Bytes. */
  size: number;
}

const keyOf = (customerId: string, id: string): string => `customers/${customerId}/uploads/${id}`;

/** @throws when the body ends early or R2 fails; then nothing is stored. */
export async function putFile(
  env: Env,
  customerId: string,
  file: Omit<StoredFile, 'size'>,
  body: ReadableStream,
): Promise<void> {
  await env.MEDIA.put(keyOf(customerId, file.id), body, {
    httpMetadata: { contentType: file.type },
    // Metadata is sent in headers, which are ASCII only.
    customMetadata: { filename: encodeURIComponent(file.filename) },
  });
}

export async function findFile(env: Env, customerId: string, id: string): Promise<StoredFile | null> {
  const found = await env.MEDIA.head(keyOf(customerId, id));
  return found && { id, ...describe(found) };
}

/** An upload with its content, or with the range that the headers ask for. */
export const openFile = (env: Env, customerId: string, id: string, headers: Headers): Promise<OpenFile | null> =>
  openKey(env, keyOf(customerId, id), headers);

export type OpenFile = Omit<StoredFile, 'id'> & { object: R2ObjectBody };

async function openKey(env: Env, key: string, headers: Headers): Promise<OpenFile | null> {
  const object = await env.MEDIA.get(key, headers.has('range') ? { range: headers } : {});
  return object && { ...describe(object), object };
}

const describe = (object: R2Object): Omit<StoredFile, 'id'> => ({
  type: object.httpMetadata?.contentType ?? 'application/octet-stream',
  filename: decodeURIComponent(object.customMetadata?.['filename'] ?? ''),
  size: object.size,
});

/** A message's files. */
export interface CopyLocation {
  customerId: string;
  conversationId: string;
  messageId: string;
}

const copiesOf = ({ customerId, conversationId, messageId }: CopyLocation): string =>
  `customers/${customerId}/conversations/${conversationId}/${messageId}/`;

const copyKey = (location: CopyLocation & { index: number }): string => `${copiesOf(location)}${location.index}`;

export const hasCopy = async (env: Env, location: CopyLocation & { index: number }): Promise<boolean> =>
  (await env.MEDIA.head(copyKey(location))) !== null;

/** False if the file could not be stored now. A file larger than `maxBytes` is not stored at all. */
export async function keepCopy(
  env: Env,
  location: CopyLocation & { index: number },
  { type, filename }: Pick<StoredFile, 'type' | 'filename'>,
  file: Response,
  maxBytes: number,
): Promise<boolean> {
  const length = file.headers.get('content-length');
  const stream: ReadableStream<Uint8Array> | null = file.body;
  if (!stream || Number(length ?? 0) > maxBytes) return true;
  const options = { httpMetadata: { contentType: type }, customMetadata: { filename: encodeURIComponent(filename) } };
  try {
    const body = length === null ? await readAtMost(stream, UNKNOWN_LENGTH_BYTES) : knownLength(stream, Number(length));
    if (body !== null) await env.MEDIA.put(copyKey(location), body, options);
    return true;
  } catch {
    return false;
  }
}

/** Stores a copy from bytes in memory. @throws when R2 fails. */
export async function putCopy(
  env: Env,
  location: CopyLocation & { index: number },
  { type, filename }: Pick<StoredFile, 'type' | 'filename'>,
  content: Uint8Array,
): Promise<void> {
  await env.MEDIA.put(copyKey(location), content, {
    httpMetadata: { contentType: type },
    customMetadata: { filename: encodeURIComponent(filename) },
  });
}

/** R2 only accepts streams of known length. Others are buffered in memory, up to a limit. */
const UNKNOWN_LENGTH_BYTES = 16 * 1024 * 1024;

function knownLength(body: ReadableStream, length: number): ReadableStream {
  const { readable, writable } = new FixedLengthStream(length);
  // An error reaches the reading side.
  body.pipeTo(writable).catch(() => undefined);
  return readable;
}

export const dropCopies = async (env: Env, location: CopyLocation): Promise<void> => {
  await dropPrefix(env, copiesOf(location));
};

/** Deletes the copies of one message. @returns the number of files. */
export const dropFiles = (env: Env, location: CopyLocation): Promise<number> => dropPrefix(env, copiesOf(location));

/** Deletes all copies of one conversation. @returns the number of files. */
export const dropConversationFiles = (
  env: Env,
  { customerId, conversationId }: Pick<CopyLocation, 'customerId' | 'conversationId'>,
): Promise<number> => dropPrefix(env, `customers/${customerId}/conversations/${conversationId}/`);

export async function dropUploads(env: Env, customerId: string, ids: string[]): Promise<void> {
  if (ids.length > 0) await env.MEDIA.delete(ids.map((id) => keyOf(customerId, id)));
}

/** R2 lists and deletes at most 1,000 objects at a time. */
async function dropPrefix(env: Env, prefix: string): Promise<number> {
  let dropped = 0;
  for (;;) {
    const { objects, truncated } = await env.MEDIA.list({ prefix });
    if (objects.length > 0) await env.MEDIA.delete(objects.map(({ key }) => key));
    dropped += objects.length;
    if (!truncated) return dropped;
  }
}

/** Our copy of a contact's file, or the range that the headers ask for. */
export async function openCopy(
  env: Env,
  location: CopyLocation & { index: number },
  headers: Headers,
): Promise<OpenFile | null> {
  return openKey(env, copyKey(location), headers);
}

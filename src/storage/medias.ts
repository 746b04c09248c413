/** Files in R2: `customers/<customer>/uploads/<id>`. A customer's own prefix holds everything of it. */
export interface StoredFile {
  id: string;
  /** By what stands in it (security/file-kind.ts). */
  type: string;
  filename: string;
  /** Bytes. */
  size: number;
}

const STORED = 'stored:';

/** What stands in a message's media (`providerRef`) whose file is here. */
export const storedRef = (id: string): string => `${STORED}${id}`;

/** The id of a stored file, or null for a provider's own reference. */
export const storedIn = (providerRef: string): string | null =>
  providerRef.startsWith(STORED) ? providerRef.slice(STORED.length) : null;

const keyOf = (customerId: string, id: string): string => `customers/${customerId}/uploads/${id}`;

/** @throws when the body breaks off or R2 fails; nothing is stored then. */
export async function putFile(
  env: Env,
  customerId: string,
  file: Omit<StoredFile, 'size'>,
  body: ReadableStream,
): Promise<void> {
  await env.MEDIA.put(keyOf(customerId, file.id), body, {
    httpMetadata: { contentType: file.type },
    // Metadata travels in headers, which hold no other letters.
    customMetadata: { filename: encodeURIComponent(file.filename) },
  });
}

export async function findFile(env: Env, customerId: string, id: string): Promise<StoredFile | null> {
  const found = await env.MEDIA.head(keyOf(customerId, id));
  return found && describe(id, found);
}

/** With its bytes, or the range of them that the headers ask for. */
export async function openFile(
  env: Env,
  customerId: string,
  id: string,
  headers: Headers,
): Promise<(StoredFile & { object: R2ObjectBody }) | null> {
  const range = headers.has('range') ? { range: headers } : {};
  const object = await env.MEDIA.get(keyOf(customerId, id), range);
  return object && { ...describe(id, object), object };
}

const describe = (id: string, object: R2Object): StoredFile => ({
  id,
  type: object.httpMetadata?.contentType ?? 'application/octet-stream',
  filename: decodeURIComponent(object.customMetadata?.['filename'] ?? ''),
  size: object.size,
});

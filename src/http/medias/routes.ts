import { createRoute, z } from '@hono/zod-openapi';
import { serveFile } from './serve.ts';
import { type AppContext, publicUrlOf } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { answer, failures, idParam, security, uuid } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { storeUpload } from '../../app/media/upload.ts';
import { uploadUrl } from '../../dialects/media-url.ts';
import { wellFormed } from '../../domain/content.ts';
import { openFile, type OpenFile } from '../../storage/medias.ts';
import { mediaLink, isValidLink } from '../../security/media-links.ts';

/** Bytes. What a request may carry on every plan of Cloudflare's. */
const MAX_UPLOAD = 100 * 1024 * 1024;

const file = { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } };

const storedSchema = z
  .object({
    id: z.uuid(),
    type: z.string().openapi({ example: 'image/png', description: 'Detected from the content, not from the name' }),
    filename: z.string(),
    size: z.number().int().openapi({ description: 'Bytes' }),
    url: z.string().openapi({ description: 'For the `medias` of a message; requires your credentials' }),
    public_url: z.string().openapi({ description: 'Opens without credentials, for one day' }),
  })
  .openapi('StoredMedia');

const uploadRoute = createRoute({
  tags: ['Medias'],
  security,
  method: 'post',
  path: '/',
  summary: 'Upload a file for a message as the raw body, with Content-Type and Content-Length',
  description: 'At most 100 MB. Programs and scripts are rejected, whatever their name.',
  request: {
    query: z.object({ filename: z.string().max(255).transform(wellFormed).default('') }),
    body: { required: true, content: file },
  },
  responses: { ...answer(storedSchema, 'The file'), ...failures('LENGTH_REQUIRED', 'PAYLOAD_TOO_LARGE') },
});

const readRoute = createRoute({
  tags: ['Medias'],
  security,
  method: 'get',
  path: '/{id}',
  summary: 'Download an uploaded file, or a `Range` of it',
  request: idParam,
  responses: { 200: { description: 'The file', content: file }, ...failures('MEDIA_NOT_AVAILABLE') },
});

/** `/v1.0/medias`, for everybody who may sign in. */
export const storedMediaRoutes = newRouter();

storedMediaRoutes.openapi(uploadRoute, async (c) => {
  const { filename } = c.req.valid('query');
  const { customerId } = c.get('principal');
  const { body, size } = bodyOf(c);
  const declared = declaredType(c);
  const stored = valueOf(await storeUpload(c.env, { customerId, filename, declared, size, body }));
  const { id } = stored;
  const url = uploadUrl(publicUrlOf(c), id);
  const public_url = await mediaLink(c.env, publicUrlOf(c), { customerId, id }, Date.now());
  return c.json({ ...stored, url, public_url }, 200);
});

storedMediaRoutes.openapi(readRoute, async (c) => {
  const { customerId } = c.get('principal');
  return found(await openFile(c.env, customerId, c.req.valid('param').id, c.req.raw.headers));
});

const linkRoute = createRoute({
  tags: ['Medias'],
  method: 'get',
  path: '/{customer_id}/{id}',
  summary: 'Download a file with a signed link that is valid for one day',
  request: {
    params: z.object({ customer_id: uuid, id: uuid }),
    query: z.object({ expires: z.string().default(''), signature: z.string().default('') }),
  },
  responses: {
    200: { description: 'The file', content: file },
    ...failures('INVALID_SIGNATURE', 'MEDIA_NOT_AVAILABLE'),
  },
});

/** `/medias`, for providers, which have no credentials of ours. */
export const linkedMediaRoutes = newRouter();

linkedMediaRoutes.openapi(linkRoute, async (c) => {
  const { customer_id: customerId, id } = c.req.valid('param');
  if (!(await isValidLink(c.env, { customerId, id }, c.req.valid('query'), Date.now())))
    throw new ApiError('INVALID_SIGNATURE', 'the link is invalid or has expired');
  return found(await openFile(c.env, customerId, id, c.req.raw.headers));
});

function found(file: OpenFile | null): Response {
  if (file) return serveFile(file);
  throw new ApiError('MEDIA_NOT_AVAILABLE', 'the file does not exist');
}

/** @throws 411 without a length, 413 above the limit, 400 for an empty body. */
function bodyOf(c: AppContext): { body: ReadableStream<Uint8Array>; size: number } {
  const length = c.req.header('content-length') ?? '';
  if (!/^\d{1,15}$/.test(length)) throw new ApiError('LENGTH_REQUIRED', 'Content-Length is required');
  const size = Number(length);
  if (size > MAX_UPLOAD) throw new ApiError('PAYLOAD_TOO_LARGE', `the file is larger than ${MAX_UPLOAD} bytes`);
  const body: ReadableStream<Uint8Array> | null = c.req.raw.body;
  if (body === null || size === 0) throw invalidField('body', 'is empty');
  return { body, size };
}

function declaredType(c: AppContext): string {
  const [type = ''] = (c.req.header('content-type') ?? '').toLowerCase().split(';');
  return /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/.test(type.trim()) ? type.trim() : 'application/octet-stream';
}

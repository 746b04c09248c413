import { createServer } from 'node:net';
import { UsageError } from './settings.ts';

/** wrangler would silently pick another port than the one the user expects. */
export async function requireFreePort(port: number): Promise<void> {
  const failure = await tryListen(port);
  if (failure === null) return;
  if (failure !== 'EADDRINUSE') throw new UsageError(`Cannot listen on 127.0.0.1:${port} (${failure}).`);
  throw new UsageError(
    `Port ${port} is in use. Choose another with PORT=8788 npm start; if an earlier Parley was killed with -9, its workerd process still holds the port: end that one.`,
  );
}

function tryListen(port: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(null)));
  return promise;
}

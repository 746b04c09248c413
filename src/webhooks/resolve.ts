import { resolve4, resolve6 } from 'node:dns/promises';

/** Resolves a host name to its addresses. @throws when there are none. */
export async function resolveHost(host: string): Promise<string[]> {
  const found = await Promise.allSettled([resolve4(host), resolve6(host)]);
  const addresses = found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  if (addresses.length === 0) throw new Error('the host name has no address');
  return addresses;
}

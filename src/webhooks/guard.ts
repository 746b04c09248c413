import ipaddr from 'ipaddr.js';
import { err, ok, type Result } from '../domain/result.ts';

/**
 * Which URLs a customer may have us call. In production the platform keeps Workers out of private networks, but not on a laptop or
 * in a self-hosted runtime (facts/platform.md section 4), and it does not check host names that resolve to private addresses.
 */
export interface GuardOptions {
  /** For development: allows every http and https URL. */
  allowPrivate: boolean;
  /** Resolves a host name to its addresses. Throws when there are none. */
  resolve: (host: string) => Promise<string[]>;
}

const RESERVED_SUFFIXES = ['.localhost', '.local', '.internal', '.home.arpa', '.lan', '.test', '.invalid', '.onion'];
const PORTS = new Set(['', '443', '8443']);

/** The check without a DNS lookup, made when the URL is saved. The error says what is wrong. */
export function checkTarget(text: string, allowPrivate: boolean): Result<URL, string> {
  const url = URL.parse(text);
  if (!url) return err('is not a URL');
  if (url.username !== '' || url.password !== '') return err('must not contain a user name or password');
  const problem = allowPrivate ? problemInDevelopment(url) : problemInProduction(url);
  return problem === null ? ok(url) : err(problem);
}

const problemInDevelopment = (url: URL): string | null =>
  url.protocol === 'https:' || url.protocol === 'http:' ? null : 'must use http or https';

function problemInProduction(url: URL): string | null {
  if (url.protocol !== 'https:') return 'must use https';
  if (!PORTS.has(url.port)) return 'must use port 443 or 8443';
  const host = hostOf(url);
  if (ipaddr.isValid(host)) return isPublic(host) ? null : 'must not be a private or reserved address';
  return isReservedName(host) ? 'must be a public host name' : null;
}

/** The same check, plus that the host resolves to public addresses only; made before each attempt. */
export async function checkResolved(text: string, options: GuardOptions): Promise<Result<URL, string>> {
  const checked = checkTarget(text, options.allowPrivate);
  if (!checked.ok || options.allowPrivate || ipaddr.isValid(hostOf(checked.value))) return checked;
  const addresses = await options.resolve(hostOf(checked.value));
  return addresses.every(isPublic) ? checked : err('resolves to a private or reserved address');
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');

const isReservedName = (host: string): boolean =>
  !host.includes('.') || RESERVED_SUFFIXES.some((suffix) => host.endsWith(suffix));

/** `process` unwraps IPv4 inside IPv6 (::ffff:10.0.0.1), which would otherwise pass as another range. */
const isPublic = (ip: string): boolean => ipaddr.isValid(ip) && ipaddr.process(ip).range() === 'unicast';

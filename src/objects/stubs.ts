import { addressKeyText, type AddressKey } from '../domain/addresses.ts';
import { talkKey } from '../domain/talk/ids.ts';
import { sha256Hex } from '../security/encoding.ts';

export const getConversation = (env: Env, id: string) => env.CONVERSATION.getByName(id);

/** The object of a talk, by the talk's id or that of any of its messages. */
export const getTalk = (env: Env, id: string) => env.TALK.getByName(talkKey(id));

export const getFeed = (env: Env, customerId: string) => env.FEED.getByName(customerId);

/** A hash: names of objects appear in the platform's logs, where no telephone number may. */
export const addressName = (key: AddressKey): Promise<string> => sha256Hex(addressKeyText(key));

export const getAddress = async (env: Env, key: AddressKey) => env.ADDRESS.getByName(await addressName(key));

export const getDirectory = (env: Env, customerId: string) => env.DIRECTORY.getByName(customerId);

const TRIES = 3;

/**
 * Calls an object, and repeats the call where the platform says that this is safe and useful (`retryable`, not `overloaded`).
 * Every command carries its own id, so a repeat whose first answer was lost changes nothing. `call` must take a new stub each time.
 */
export async function callObject<P extends PromiseLike<unknown>>(call: () => P): Promise<Awaited<P>> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (tries >= TRIES || !isRetryable(error)) throw error;
    }
  }
}

const isRetryable = (error: unknown): boolean =>
  error instanceof Error &&
  'retryable' in error &&
  error.retryable === true &&
  !('overloaded' in error && error.overloaded === true);

import { invalidField } from '../errors.ts';
import { configOf } from '../../env.ts';
import { checkTarget } from '../../webhooks/guard.ts';

/** Refuses a target that we must not call, with the request's own field name; a name's addresses are looked at before each attempt. */
export function checkedTarget(env: Env, url: string, field: string): string {
  const checked = checkTarget(url, configOf(env).ALLOW_PRIVATE_TARGETS);
  if (!checked.ok) throw invalidField(field, checked.error);
  return url;
}

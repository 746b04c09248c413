import { ApiError, invalidFields, type Details } from '../errors.ts';

/** What the core calls otherwise than the body of a request. */
export type FieldNames = Record<string, string>;

/** Does the work; the fields that it complains about get the names that the request's body has for them. */
export async function inFieldsOf<T>(names: FieldNames, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'INVALID_ARGUMENT' && error.details)
      throw invalidFields(renamed(error.details, names));
    throw error;
  }
}

const renamed = (details: Details, names: FieldNames): Details =>
  Object.fromEntries(Object.entries(details).map(([field, problem]) => [names[field] ?? field, problem]));

import { z } from 'zod';

/** Something that a message carries beside its text. Plain strings only, so that it crosses RPC and JSON unchanged. */
export interface Media {
  /** A MIME type (`image/png`), or a kind that no file stands behind: `location`, `sticker`, `postback`, `unsupported`. */
  type: string;
  /** Where the file can be read, or empty: the sender's or the provider's own URL. */
  url: string;
  /**
   * Our own origin, where the file is read from us: under it each dialect makes a URL of its own. Absent on a file that is elsewhere,
   * and on what commit aa301288 stored, whose `url` is ours already.
   */
  origin?: string;
  filename: string;
  /** The provider's own name of the file, for fetching it with the account's credentials. Never shown to clients. */
  providerRef: string;
  /** What the kind needs: latitude, package_id, data, … */
  details: Record<string, string>;
}

export const media = (type: string, parts: Partial<Omit<Media, 'type'>> = {}): Media => ({
  type,
  url: '',
  filename: '',
  providerRef: '',
  details: {},
  ...parts,
});

const STORED = 'stored:';

/** The `providerRef` of a file that was uploaded here. */
export const storedRef = (id: string): string => `${STORED}${id}`;

/** The id of a file that was uploaded here, or null for a provider's own reference. */
export const storedIn = (providerRef: string): string | null =>
  providerRef.startsWith(STORED) ? providerRef.slice(STORED.length) : null;

export interface Content {
  text: string;
  medias: Media[];
}

/** A text that the provider has approved beforehand, with `{{1}}`, `{{2}}`, … for what differs (WhatsApp). */
export interface Template {
  name: string;
  language: string;
  category: string;
  text: string;
  /** How many parameters its text takes. */
  parameters: number;
  /** What it asks for beside them, in words, so that we cannot send it; null when nothing. */
  needs: string | null;
}

export interface TemplateUse {
  name: string;
  language: string;
  parameters: string[];
}

/** How a template reads with its parameters filled in. */
export const renderTemplate = ({ text }: Template, parameters: readonly string[]): string =>
  text.replaceAll(/\{\{(\d+)\}\}/g, (_, number: string) => parameters[Number(number) - 1] ?? '');

/** Bounds that hold on every channel; a channel may be stricter (channels/contract.ts). */
export const MAX_TEXT_LENGTH = 10_000;
export const MAX_MEDIAS = 10;

/**
 * A text as it can be stored and sent: half a surrogate pair has no UTF-8, and every part of the way would replace it
 * in its own manner.
 */
export const wellFormed = (text: string): string => text.toWellFormed();

/** A media as a client sends it (seed 002: `{type, url}`). */
export const outgoingMediaSchema = z.object({
  type: z.string().min(1).max(127),
  url: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).max(2000),
  filename: z.string().max(255).default(''),
});

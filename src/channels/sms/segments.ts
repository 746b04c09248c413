import { SegmentedMessage } from 'sms-segments-calculator';
import type { Segments } from '../../domain/conversation/state.ts';

/** How a text is billed: 160 or 153 GSM-7 septets, 70 or 67 UCS-2 units a segment (3GPP 23.038). Null when there is none. */
export function segments(text: string): Segments | null {
  if (text === '') return null;
  const { encodingName, segmentsCount } = new SegmentedMessage(text);
  return { encoding: encodingName, count: segmentsCount };
}

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinStatus, progressOf } from '../../../src/domain/conversation/delivery/delivery-status.ts';
import { DELIVERY_STATUSES, type DeliveryStatus } from '../../../src/domain/conversation/state.ts';

const status = fc.constantFrom<DeliveryStatus>(...DELIVERY_STATUSES);

describe('a delivery’s status', () => {
  test('comes out the same in whatever order the receipts come, and however often', () => {
    fc.assert(
      fc.property(fc.array(status, { minLength: 1 }), fc.array(fc.nat()), (receipts, order) => {
        const shuffled = receipts
          .concat(receipts)
          .map((receipt, index) => ({ receipt, key: order[index] ?? 0 }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ receipt }) => receipt);
        expect(shuffled.reduce(joinStatus)).toBe(receipts.reduce(joinStatus));
      }),
    );
  });

  test('never moves back', () => {
    fc.assert(fc.property(status, status, (a, b) => joinStatus(joinStatus(a, b), a) === joinStatus(a, b)));
    expect(joinStatus('delivered', 'sent')).toBe('delivered');
    expect(joinStatus('sent', 'failed')).toBe('failed');
    expect(joinStatus('failed', 'delivered')).toBe('delivered');
  });
});

test('a message is progressing while any delivery is, and failed only when none got through', () => {
  expect(progressOf(['sent', 'queued'])).toBe('progressing');
  expect(progressOf(['failed', 'delivered'])).toBe('done');
  expect(progressOf(['failed', 'failed'])).toBe('failed');
});

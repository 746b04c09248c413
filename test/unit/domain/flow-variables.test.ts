import { expect, test } from 'vitest';
import {
  activeflowVariables,
  conversationVariables,
  messageVariables,
  VARIABLE_NAMES,
} from '../../../src/domain/flow/variables.ts';
import { aConversation } from './support.ts';

test('the names of variables are those that a running flow has', () => {
  const running = {
    ...conversationVariables(aConversation()),
    ...messageVariables('id', null),
    ...activeflowVariables('id', 'flow', 'conversation'),
  };
  expect(VARIABLE_NAMES.toSorted()).toEqual(Object.keys(running).toSorted());
});

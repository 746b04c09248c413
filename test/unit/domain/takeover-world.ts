import {
  sequenceEvents,
  applyEvent,
  isMessageEvent,
  type NewConversationEvent,
} from '../../../src/domain/conversation/events.ts';
import {
  keepAllowed,
  NOTHING_PENDING,
  startAutomation,
  type Pending,
} from '../../../src/domain/conversation/automation/automation.ts';
import type { InboundItem } from '../../../src/domain/conversation/commands.ts';
import { decideConsent, decideUpdate } from '../../../src/domain/conversation/decide-change.ts';
import { decideReceive } from '../../../src/domain/conversation/decide-inbound.ts';
import { decideDeliveryNews } from '../../../src/domain/conversation/decide-message.ts';
import { decideSend } from '../../../src/domain/conversation/decide-send.ts';
import { decideTurnEnd, decideTurnReport } from '../../../src/domain/conversation/automation/decide-turn.ts';
import { withdrawSends, maySendLess, type UnderWay } from '../../../src/domain/conversation/automation/fencing.ts';
import {
  claim,
  CLAIM_LEASE_MS,
  expire,
  heads,
  newSend,
  publish,
  report,
  type Send,
  type SendStep,
} from '../../../src/domain/conversation/delivery/sends.ts';
import type { Message } from '../../../src/domain/conversation/state.ts';
import {
  claimTurn,
  expireTurn,
  publishTurn,
  type TurnOutcome,
} from '../../../src/domain/conversation/automation/turns.ts';
import { aConversation, anInbound, anOpening, aRecipient, aSend, SOMEBODY } from './support.ts';

const ASSISTANT = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const POLICY = { idempotent: false, receiptWaitMs: 60_000 };
/** A request reaches its provider within this time of its claim, or never. */
const REACHES_MS = 3000;

export type Move =
  | { kind: 'says' | 'drain' | 'takeover' | 'reply' | 'echo' | 'give-back' | 'flow' | 'fenced-flow' | 'stop' }
  | { kind: 'turn' | 'send' | 'arrive' | 'lose'; pick: number }
  | { kind: 'answer'; pick: number; outcome: TurnOutcome; handoff: boolean }
  | { kind: 'report'; pick: number; accepted: boolean }
  | { kind: 'later'; ms: number };

type Picking = Extract<Move, { pick: number }>;

type Call = { deliveryId: string; attempt: number; claimedAt: number; arrived: boolean };

/** One conversation's object as its shell runs it, with queues, consumers and a provider around it: nothing but the pure core and a clock. */
export class TakeoverWorld {
  now = 1_000_000;
  state = aConversation();
  pending: Pending = NOTHING_PENDING;
  readonly messages = new Map<string, Message>();
  readonly sends = new Map<string, Send>();
  readonly turnJobs: { id: string; attempt: number }[] = [];
  readonly turnCalls: { id: string; attempt: number; epoch: number; said: string }[] = [];
  readonly sendJobs: { id: string; attempt: number }[] = [];
  readonly calls: Call[] = [];
  /** Since which epoch nothing that began before may reach the provider: the newest takeover that was acknowledged. */
  acknowledged = 0;
  unacknowledged: number[] = [];
  /** What reached the provider although a takeover had been acknowledged. Must stay empty. */
  readonly lateArrivals: Message[] = [];
  readonly arrivals: Message[] = [];
  refusals = 0;
  #count = 0;

  take(move: Move): void {
    this.#act(move);
    this.#acknowledge();
  }

  #act(move: Move): void {
    if ('pick' in move) return this.#actOn(move);
    if (move.kind === 'later') return this.#wait(move.ms);
    return this.#moves[move.kind]();
  }

  readonly #moves: Record<Exclude<Move['kind'], Picking['kind'] | 'later'>, () => void> = {
    says: () => this.#says('hello'),
    stop: () => this.#commit(decideConsent(this.state, 'pair', !this.state.optOut, this.#at())),
    drain: () => this.#drain(),
    flow: () => this.#send(null, 'flow'),
    // Most of them in time, some with an epoch that is over.
    'fenced-flow': () => this.#send(Math.max(0, this.state.modeEpoch - (this.#count % 4 === 0 ? 1 : 0)), 'fenced flow'),
    takeover: () => this.#takeOver(() => this.#update({ aiMode: 'human' })),
    reply: () => this.#takeOver(() => this.#send(null, 'person', true)),
    echo: () => this.#takeOver(() => this.#says('echo')),
    'give-back': () => this.#update({ aiMode: 'ai' }),
  };

  #actOn(move: Picking): void {
    switch (move.kind) {
      case 'turn':
        this.#drain();
        return this.#takeTurn(move.pick);
      case 'answer':
        return this.#answer(move);
      case 'lose':
        this.sendJobs.splice(move.pick % Math.max(1, this.sendJobs.length), 1);
        return;
      case 'send':
        this.#drain();
        return this.#claimSend(move.pick);
      case 'arrive':
        return this.#arrive(this.calls[move.pick % Math.max(1, this.calls.length)]);
      case 'report':
        return this.#reportSend(move.pick, move.accepted);
    }
  }

  #at = (): number => (this.now + (this.#count += 1)) * 1000;

  /** What Room.commit does. */
  #commit(events: NewConversationEvent[], pending: Pending = this.pending): void {
    const before = this.state;
    const at = this.#at();
    this.#append(events, at);
    if (maySendLess(before, this.state)) this.#withdraw(events, at);
    this.pending = keepAllowed(pending, this.state);
  }

  #withdraw(events: NewConversationEvent[], at: number): void {
    const underWay: UnderWay[] = [...this.sends.values()].map((send) => ({
      send,
      message: this.#message(send.messageId),
    }));
    const by = events.flatMap((event) => ('change' in event && event.change?.mode ? [event.change.actor] : [])).at(-1);
    const verdict = withdrawSends(this.state, by ?? null, underWay, at);
    verdict.refenced.forEach(({ message }) => this.messages.set(message.id, message));
    verdict.lastTry.forEach(({ send }) => this.sends.set(send.deliveryId, send));
    verdict.failed.forEach(({ send }) => this.sends.delete(send.deliveryId));
    this.#append(verdict.events, at);
  }

  #append(events: NewConversationEvent[], at: number): void {
    for (const event of sequenceEvents(events, this.state.sequence, at)) {
      this.state = applyEvent(this.state, event);
      if (!isMessageEvent(event)) continue;
      this.messages.set(event.message.id, event.message);
      if (event.type !== 'message.created') continue;
      const { id: messageId, sequence: position } = event.message;
      for (const { id: deliveryId, accountId, target: lane, status } of event.message.deliveries) {
        if (status !== 'queued') continue;
        this.sends.set(deliveryId, newSend({ deliveryId, messageId, accountId, lane, position }));
      }
    }
  }

  #message(id: string): Message {
    const message = this.messages.get(id);
    if (!message) throw new Error('no such message');
    return message;
  }

  #says(what: 'hello' | 'echo'): void {
    const id = `m${(this.#count += 1)}`;
    const echo: InboundItem = {
      kind: 'echo',
      messageId: id,
      deliveryId: `d${id}`,
      dedupeKey: id,
      text: 'x',
      medias: [],
      providerId: id,
    };
    const item = what === 'hello' ? anInbound({ messageId: id, dedupeKey: id }) : echo;
    const decided = decideReceive(this.state, anOpening(), item, [], this.#at());
    if (!decided.ok) return;
    this.#commit(decided.value);
    const message = this.#message(id);
    const automation = { flow: null, assistant: { id: ASSISTANT, debounceMs: 1000 } };
    if (what === 'hello') this.pending = startAutomation(this.pending, this.state, message, automation, this.now);
  }

  #send(fence: number | null, name: string, takeover = false): void {
    const id = `${name}${(this.#count += 1)}`;
    const command = aSend({
      messageId: id,
      recipients: [aRecipient(undefined, { deliveryId: `d${id}` })],
      fence,
      takeover,
    });
    const decided = decideSend(this.state, command, [], this.#at());
    if (decided.ok) this.#commit(decided.value);
    else this.refusals += 1;
  }

  #update(changes: { aiMode: 'human' | 'ai' }): void {
    const decided = decideUpdate(this.state, { customerId: '', actor: SOMEBODY, ...changes }, this.#at());
    if (decided.ok) this.#commit(decided.value);
  }

  #takeOver(act: () => void): void {
    const before = this.state.modeEpoch;
    act();
    if (this.state.modeEpoch === before) return;
    this.unacknowledged.push(this.state.modeEpoch);
  }

  /** What InFlight does: the answer waits for the attempts that the takeover forbids, as long as they may still reach the provider. */
  #acknowledge(): void {
    const busy = [...this.sends.values()].some(
      ({ phase, withdrawn, dueAt }) =>
        phase === 'claimed' && withdrawn && dueAt - CLAIM_LEASE_MS + REACHES_MS > this.now,
    );
    const done = busy ? [] : this.unacknowledged;
    this.unacknowledged = this.unacknowledged.filter((each) => !done.includes(each));
    this.acknowledged = Math.max(this.acknowledged, ...done);
  }

  #drain(): void {
    for (const head of heads([...this.sends.values()])) {
      this.#keep(head, expire(head, this.now, 0));
      const send = this.sends.get(head.deliveryId);
      if (send?.phase !== 'waiting' || send.dueAt > this.now) continue;
      this.sends.set(send.deliveryId, publish(send, this.now));
      this.sendJobs.push({ id: send.deliveryId, attempt: send.attempt + 1 });
    }
    for (const turn of this.pending.turns) {
      const step = expireTurn(turn, this.now);
      if (step.turn !== turn) {
        const ended = decideTurnEnd(this.state, this.pending, turn, step, this.#at());
        this.#commit(ended.events, ended.pending);
      }
    }
    for (const turn of this.pending.turns.filter(({ phase, dueAt }) => phase === 'waiting' && dueAt <= this.now)) {
      this.#replaceTurn(publishTurn(turn, this.now));
      this.turnJobs.push({ id: turn.id, attempt: turn.attempt + 1 });
    }
  }

  #replaceTurn(next: Pending['turns'][number]): void {
    const turns = this.pending.turns.map((turn) => (turn.id === next.id ? next : turn));
    this.pending = { ...this.pending, turns };
  }

  /** The job stays in the queue: it may be delivered again. */
  #takeTurn(pick: number): void {
    const open = this.turnJobs.filter(({ id }) => this.pending.turns.some((turn) => turn.id === id));
    const job = open[pick % Math.max(1, open.length)];
    const turn = job && this.pending.turns.find(({ id }) => id === job.id);
    if (!job || !turn) return;
    const taken = claimTurn(
      turn,
      { attempt: job.attempt, maxFailures: 2, leaseMs: 25_000 },
      this.state.sequence,
      this.now,
    );
    if (!taken) return;
    this.#replaceTurn(taken);
    this.turnCalls.push({
      id: turn.id,
      attempt: taken.attempt,
      epoch: this.state.modeEpoch,
      said: `a${(this.#count += 1)}`,
    });
  }

  #answer({ pick, outcome, handoff }: Extract<Move, { kind: 'answer' }>): void {
    const [call] = this.turnCalls.splice(pick % Math.max(1, this.turnCalls.length), 1);
    if (!call) return;
    const { id: turnId, attempt, epoch: fence, said } = call;
    const actor = { type: 'assistant', id: ASSISTANT } as const;
    const message = aSend({
      messageId: said,
      recipients: [aRecipient(undefined, { deliveryId: `d${said}` })],
      fence,
      actor,
    });
    const answer = outcome === 'answered' ? { message, handoff } : null;
    const told = { turnId, attempt, outcome, answer };
    const decided = decideTurnReport(this.state, this.pending, told, this.now, this.#at());
    if (decided.ok) this.#commit(decided.value.events, decided.value.pending);
    else this.refusals += 1;
  }

  #claimSend(pick: number): void {
    const open = this.sendJobs.filter(({ id }) => this.sends.has(id));
    const job = open[pick % Math.max(1, open.length)];
    const send = job && this.sends.get(job.id);
    if (!job || !send) return;
    const isHead = heads([...this.sends.values()]).some(({ deliveryId }) => deliveryId === job.id);
    const taken = claim(send, isHead, job.attempt, POLICY, this.now);
    if (!taken) return;
    this.sends.set(job.id, taken);
    this.calls.push({ deliveryId: job.id, attempt: taken.attempt, claimedAt: this.now, arrived: false });
  }

  #arrive(call: Call | undefined): void {
    if (!call || call.arrived) return;
    call.arrived = true;
    const message = [...this.messages.values()].find(({ deliveries }) =>
      deliveries.some(({ id }) => id === call.deliveryId),
    );
    if (!message) return;
    this.arrivals.push(message);
    if (message.fence !== null && message.fence < this.acknowledged) this.lateArrivals.push(message);
  }

  #reportSend(pick: number, accepted: boolean): void {
    const [call] = this.calls.splice(pick % Math.max(1, this.calls.length), 1);
    const send = call && this.sends.get(call.deliveryId);
    if (!call || !send) return;
    if (accepted) this.#arrive(call);
    const outcome = accepted
      ? ({ kind: 'accepted', providerId: 'p' } as const)
      : ({ kind: 'retry', code: '503', text: '', retryAfterMs: null } as const);
    this.#keep(send, report(send, call.attempt, outcome, this.now, 0));
  }

  /** What deliver.ts' commitStep does. */
  #keep(send: Send, step: SendStep): void {
    const message = this.#message(send.messageId);
    if (step.send === send && !step.news) return;
    const withdrawn = step.send?.withdrawn;
    if (step.send && !withdrawn) this.sends.set(send.deliveryId, step.send);
    else this.sends.delete(send.deliveryId);
    const news = withdrawn ? ({ status: 'failed', error: withdrawn } as const) : step.news;
    if (news) this.#commit(decideDeliveryNews(message, send.deliveryId, news, this.#at()));
  }

  /** What is on its way arrives first: nothing stays on a wire for longer than REACHES_MS. */
  #wait(ms: number): void {
    this.calls.filter(({ claimedAt }) => this.now + ms >= claimedAt + REACHES_MS).forEach((call) => this.#arrive(call));
    this.now += ms;
  }
}

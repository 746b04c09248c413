/** Where talks are measured: the hub, or the floor. The clients are the same in both. */
export interface BenchTarget {
  newRoom(): Promise<Room>;
  stop(): Promise<void>;
}

export interface Room {
  reader(index: number): Door;
  writer(index: number): Door;
  /** Whether readers must say how far they are. */
  wantsAcks: boolean;
  /** Until it has done what it left for later: the next one to be measured is not to pay for it. */
  settled(): Promise<void>;
}

/** How one socket is opened. */
export interface Door {
  url: URL;
  headers: Record<string, string>;
}

import { onReaderGone } from "./output/reader.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** npm hands on to us what the terminal has sent to both: one Ctrl-C. */
const sameMs = 200;

type Listener = (count: number, signal: NodeJS.Signals) => void;

/** Hears what would end this process, so that it can end in good order. @returns a function that ends the listening */
export function onSignals(listener: Listener): () => void {
  let count = 0;
  let last = { signal: "", at: 0 };
  const onSignal = (signal: NodeJS.Signals) => {
    const at = performance.now();
    if (signal !== last.signal || at - last.at > sameMs) listener(++count, signal);
    last = { signal, at };
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}

/** As `onSignals`, for what goes on for long only to print something: that nobody reads it any more ends it, too. */
export function onSignalsOrUnread(listener: Listener): () => void {
  const offs = [onSignals(listener), onReaderGone(() => listener(1, "SIGTERM"))];
  return () => {
    for (const off of offs) off();
  };
}

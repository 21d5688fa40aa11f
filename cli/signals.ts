/** Hears what would end this process, so that it can end in good order. @returns a function that ends the listening */
export function onSignals(listener: (count: number) => void): () => void {
  let count = 0;
  const onSignal = () => listener(++count);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}

/** The function, called once for each key: what it has given for one, it gives again. */
export function once<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new Map<Key, { value: Value }>();
  return (key) => {
    const one = made.get(key) ?? { value: make(key) };
    made.set(key, one);
    return one.value;
  };
}

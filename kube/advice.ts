/** Advice for users about the messages of a control plane or a proxy. */

/**
 * A known message (as a pattern), and what to do about it. In the advice, `STACK` stands for the stack's name, and
 * `KUBECTL` for kubectl with the cluster's own kubeconfig.
 */
export type Known = [RegExp, string];

/** The server that a module is fetched from did not answer. A retry may help. */
export const noAnswer =
  /connection refused|no such host|server misbehaving|i\/o timeout|deadline exceeded|no route to host|connection reset|unexpected EOF|\b50[0234]\b/;

/** Messages that every mesh has. */
const known: Known[] = [
  [noAnswer, "Where it is fetched from does not answer inside the cluster: once it runs, run `up` again."],
  [
    /MANIFEST_UNKNOWN|NAME_UNKNOWN/,
    "The registry does not have this image: meshup:registry.push has to lead to the same registry as its address. If the image was deleted there, `npm run push -- STACK` pushes it again, and `npm start -- STACK` has it pulled.",
  ],
  [
    /UNAUTHORIZED|DENIED|authentication required|401 Unauthorized|403 Forbidden/,
    "The registry refuses the pull secret, or there is none: see meshup:registry.username, and set the password: `pulumi config set --secret meshup:registryPassword`.",
  ],
  [/does not match/, "What is served there is not what was built: push it anew (`npm run push -- STACK`)."],
];

/**
 * @param said log lines, the newest last; the newest known line decides
 * @param own messages that only this mesh has
 * @returns what to do; empty if no line is known
 */
export function advice(said: string[], own: Known[] = []): string {
  const todo = (line: string) => [...known, ...own].filter(([pattern]) => pattern.test(line)).map(([, todo]) => todo);
  return (
    said
      .map(todo)
      .findLast((all) => all.length > 0)
      ?.join(" ") ?? ""
  );
}

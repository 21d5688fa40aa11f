/** What a person can do about what a control plane or a proxy says. */

/**
 * What is known: how it is said, and what to do. There `STACK` stands for the stack's name, and `KUBECTL` for kubectl with
 * the cluster's own kubeconfig.
 */
export type Known = [RegExp, string];

/** Nobody answered where a module is fetched from: another try may do. */
export const noAnswer =
  /connection refused|no such host|server misbehaving|i\/o timeout|deadline exceeded|no route to host|connection reset|unexpected EOF|\b50[0234]\b/;

/** The same for every mesh. */
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
 * @param said lines, the newest last; the newest that is known counts
 * @param own what only this mesh says
 * @returns what to do; empty where nothing is known
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

import { expect, it } from "vitest";
import { KubeApi } from "./api.ts";
import { renewCertificates } from "./certificates.ts";
import { type Answers, fakeCluster } from "./testing/kubernetes.ts";

const secrets = "/api/v1/namespaces/system/secrets";
const deployments = "/apis/apps/v1/namespaces/system/deployments";

const secret = (name: string, type: string, manager?: string) => ({
  ...{ type, metadata: { name, namespace: "system", ...(manager && { managedFields: [{ manager }] }) } },
});
const needing = (name: string, secretName: string, optional?: boolean) => ({
  metadata: { name, namespace: "system" },
  spec: { template: { spec: { volumes: [{ configMap: { name: "c" } }, { secret: { secretName, optional } }] } } },
});

/** @returns what was asked but for lists */
async function renew(found: object[], pods: object[]): Promise<string[]> {
  const done: string[] = [];
  const note = (what: string) => () => {
    done.push(what);
    return {};
  };
  const names = (all: object[]) => all.map((one) => (one as { metadata: { name: string } }).metadata.name);
  const answers: Answers = {
    [`GET ${secrets}`]: () => ({ items: found }),
    [`GET ${deployments}`]: () => ({ items: pods }),
  };
  for (const name of names(found)) answers[`DELETE ${secrets}/${name}`] = note(`delete ${name}`);
  for (const name of names(pods)) {
    answers[`PATCH ${deployments}/${name}`] = (_query, body) => {
      expect(body).toEqual({
        spec: {
          template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": expect.stringMatching(/Z$/) } } },
        },
      });
      return note(`roll out ${name}`)();
    };
  }
  const cluster = await fakeCluster(answers);
  await renewCertificates(await KubeApi.open(cluster.kubeconfig), "system");
  return done;
}

const tls = "kubernetes.io/tls";

it("certificates of hooks go, and the pods that need them are rolled out, also where one was missing before", async () => {
  const found = [secret("one", tls, "certgen"), secret("two", tls), secret("key", "Opaque")];
  const pods = [needing("uses-one", "one"), needing("uses-missing", "gone"), needing("uses-key", "key")];
  expect(await renew(found, pods)).toEqual(["delete one", "delete two", "roll out uses-one", "roll out uses-missing"]);
});

it.each(["pulumi-resource-kubernetes", "kubectl-create"])("a certificate that %s has made stays", async (manager) => {
  expect(await renew([secret("mine", tls, manager)], [needing("uses-mine", "mine")])).toEqual([]);
});

it("what can do without a certificate goes on", async () => {
  expect(await renew([secret("one", tls)], [needing("controller", "one", true)])).toEqual(["delete one"]);
});

import { expect, it } from "vitest";
import { KubeApi } from "./api.ts";
import { renewCertificates } from "./certificates.ts";
import { type Answers, fakeCluster } from "./testing/kubernetes.ts";

const secrets = "/api/v1/namespaces/system/secrets";
const deployments = "/apis/apps/v1/namespaces/system/deployments";

const madeBy = (manager: string) => ({ managedFields: [{ manager }] });
const secret = (name: string, type: string, manager = "controller") => ({
  ...{ type, metadata: { name, namespace: "system", ...madeBy(manager) } },
});
/** A Deployment, by default one that the release's controller has made. */
const needing = (name: string, secretName: string, optional?: boolean, manager = "controller") => ({
  metadata: { name, namespace: "system", ...madeBy(manager) },
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
  await renewCertificates(await KubeApi.open(cluster.kubeconfig), "system", ["controller"]);
  return done;
}

const tls = "kubernetes.io/tls";

it("certificates of hooks go, and the pods that need them are rolled out, also where one was missing before", async () => {
  const found = [secret("one", tls), secret("two", tls), secret("key", "Opaque")];
  const pods = [needing("uses-one", "one"), needing("uses-missing", "gone"), needing("uses-key", "key")];
  expect(await renew(found, pods)).toEqual(["delete one", "delete two", "roll out uses-one", "roll out uses-missing"]);
});

it.each(["pulumi-resource-kubernetes", "kubectl-create", "cert-manager-certificates-issuing", "helm", "Terraform"])(
  "a certificate that %s has made stays",
  async (manager) => {
    expect(await renew([secret("mine", tls, manager)], [needing("uses-mine", "mine")])).toEqual([]);
  },
);

it("other people's deployments in the namespace go on, whatever they lack; the release's own is rolled out", async () => {
  const pods = [needing("kiali", "gone", false, "helm"), needing("controller", "one", false, "helm")];
  expect(await renew([secret("one", tls)], pods)).toEqual(["delete one", "roll out controller"]);
});

it("what can do without a certificate goes on", async () => {
  expect(await renew([secret("one", tls)], [needing("controller", "one", true)])).toEqual(["delete one"]);
});

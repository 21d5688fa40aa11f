import { expect, test } from "vitest";
import { type Answers, fakeCluster } from "../kube/testing/kubernetes.ts";
import { waitForRollout } from "./rollout.ts";

const ns = "/namespaces/default";
const deployment = (available: number) => ({
  metadata: { name: "web", generation: 1 },
  spec: { replicas: 1, selector: { matchLabels: { app: "web" } } },
  status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: available },
});
const set = (revision: string, hash: string) => ({
  metadata: {
    name: `web-${hash}`,
    labels: { "pod-template-hash": hash },
    annotations: { "deployment.kubernetes.io/revision": revision },
  },
});
const pod = (name: string, status: object) => ({ metadata: { name, namespace: "default" }, status });

/** A new pod, by what is seen of it, beside an old one that is well. */
const cluster = (status: object, more: Answers = {}) =>
  fakeCluster({
    [`GET /apis/apps/v1${ns}/deployments/web`]: () => deployment(0),
    [`GET /apis/apps/v1${ns}/replicasets`]: () => ({ items: [set("1", "old"), set("2", "new")] }),
    [`GET /api/v1${ns}/pods`]: (query) =>
      query.get("labelSelector") === "app=web,pod-template-hash=new"
        ? { items: [pod("web-new-1", status)] }
        : undefined,
    ...more,
  });
const wait = (kubeconfig: string, timeoutMs?: number) =>
  waitForRollout({ kubeconfig, namespace: "default", name: "web", version: "1", timeoutMs });
const container = (status: object) => ({ containerStatuses: [{ name: "web", ...status }] });

test("pods that take requests, by name", async () => {
  const { kubeconfig } = await cluster(
    {},
    {
      [`GET /apis/apps/v1${ns}/deployments/web`]: () => deployment(1),
      [`GET /api/v1${ns}/pods`]: () => ({ items: [pod("web-1", {})] }),
    },
  );
  expect(await wait(kubeconfig)).toEqual({ pods: ["web-1"] });
});

test("a container that ends again and again: its own last words, long before the time is over", async () => {
  const status = container({
    restartCount: 2,
    state: { waiting: { reason: "CrashLoopBackOff" } },
    lastState: { terminated: { exitCode: 3 } },
  });
  const { kubeconfig } = await cluster(status, {
    [`GET /api/v1${ns}/pods/web-new-1/log`]: (query) => {
      expect(Object.fromEntries(query)).toMatchObject({ container: "web", previous: "true" });
      return "starting\nno database\n";
    },
  });
  await expect(wait(kubeconfig)).rejects.toThrow(
    "web does not come up: it exited with code 3\n  its log (pod web-new-1) ends with\n    starting\n    no database",
  );
});

test("an image that cannot be had: the registry's words, and what to do", async () => {
  const message = 'Back-off pulling image "a.b/c:1": ErrImagePull: not found';
  const { kubeconfig } = await cluster(container({ state: { waiting: { reason: "ImagePullBackOff", message } } }));
  await expect(wait(kubeconfig)).rejects.toThrow(
    /^web does not come up: it waits: ImagePullBackOff: Back-off pulling image "a\.b\/c:1".*\n {2}is the image there.*pullSecret/,
  );
});

test("a pod that only takes its time, and takes too long; one that has none", async () => {
  const status = container({ ready: false, state: { running: {} } });
  const slow = await cluster(status, { [`GET /api/v1${ns}/pods/web-new-1/log`]: () => "compiling\n" });
  await expect(wait(slow.kubeconfig, 100)).rejects.toThrow(
    /^web is not ready after 0\.1 s: it runs, but is not ready\n.*\n {4}compiling$/,
  );
  const none = await cluster({}, { [`GET /apis/apps/v1${ns}/replicasets`]: () => ({ items: [] }) });
  await expect(wait(none.kubeconfig, 100)).rejects.toThrow("it has no pod yet");
});

test("a deployment that somebody has removed", async () => {
  const { kubeconfig } = await cluster({}, { [`GET /apis/apps/v1${ns}/deployments/web`]: () => undefined });
  await expect(wait(kubeconfig)).rejects.toThrow("its deployment has gone from namespace default");
});

import { createHash } from "node:crypto";
import type { DeploymentManifest } from "../../workloads/kubernetes/pod.ts";
import type { istiodValues } from "./values.ts";

/**
 * What istiod gives a proxy only when its pod is made (image, log levels, threads), as an annotation of the pod: with
 * other settings the pods are replaced.
 */
export function proxySettings({ global, meshConfig }: ReturnType<typeof istiodValues>): Record<string, string> {
  const settings = createHash("sha256").update(JSON.stringify([global, meshConfig]));
  return { "meshup.dev/proxy-settings": settings.digest("hex").slice(0, 16) };
}

/** deployment() makes plain data; its type allows outputs everywhere. */
interface Plain {
  spec: { template: { metadata: { annotations?: Record<string, string> } } };
}

export function withPodAnnotations(
  deployment: DeploymentManifest,
  annotations: Record<string, string>,
): DeploymentManifest {
  const { spec, ...rest } = deployment as Plain;
  const { metadata } = spec.template;
  const template = {
    ...spec.template,
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } },
  };
  return { ...rest, spec: { ...spec, template } } as DeploymentManifest;
}

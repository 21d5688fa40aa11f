import { expect, test } from "vitest";
import { parseReference, withDigest } from "./reference.ts";

const digest = `sha256:${"0a".repeat(32)}`;

test.each([
  [`oci://ghcr.io/me/filter@${digest}`, { registry: "ghcr.io", repository: "me/filter", digest }],
  [`oci://ghcr.io/me/filter:v1@${digest}`, { registry: "ghcr.io", repository: "me/filter", tag: "v1", digest }],
  ["oci://localhost:5001/a/b/c_d:v1.2", { registry: "localhost:5001", repository: "a/b/c_d", tag: "v1.2" }],
  ["oci://localhost/a", { registry: "localhost", repository: "a" }],
  ["oci://[::1]:5000/a", { registry: "[::1]:5000", repository: "a" }],
  ["oci://me/filter:v1", { registry: "docker.io", repository: "me/filter", tag: "v1" }],
  ["oci://filter", { registry: "docker.io", repository: "library/filter" }],
  ["oci://docker.io/filter:v1", { registry: "docker.io", repository: "library/filter", tag: "v1" }],
])("%s", (text, parts) => {
  expect(parseReference(text)).toEqual({ tag: undefined, digest: undefined, ...parts, text });
});

test.each([
  ["oci://", /names no image; one is such as oci:\/\/ghcr\.io/],
  ["oci:///me/filter", /names no image/],
  ["oci://ghcr.io/", /names no image/],
  ["oci://ghcr.io/Me/filter", /names no image/],
  ["oci://ghcr.io:port/me/filter", /names no image/],
  ["oci://https://ghcr.io/me/filter", /names no image/],
  [`oci://ghcr.io/me/filter@${digest}@${digest}`, /names no image/],
  ["oci://ghcr.io/me/filter:", /"" cannot be a tag/],
  ["oci://ghcr.io/me/filter:-v1", /"-v1" cannot be a tag/],
  ["oci://ghcr.io/me/filter@sha256:abc", /a digest is sha256: and 64 of/],
  [`oci://ghcr.io/me/filter@${digest.toUpperCase()}`, /a digest is sha256:/],
  ["oci://ghcr.io/me/filter@", /a digest is sha256:/],
])("%s is refused", (text, message) => {
  expect(() => parseReference(text)).toThrow(message);
});

test("with a digest the tag is left out", () => {
  expect(withDigest(parseReference("oci://filter:v1"), digest)).toBe(`oci://docker.io/library/filter@${digest}`);
});

type Version = [major: number, minor: number, patch: number];

/** `v3.259.0-alpha.1` → [3, 259, 0]; undefined when it is no version. */
export function parseVersion(text: string): Version | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$/.exec(text.trim());
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : undefined;
}

export function compareVersions(a: string, b: string): number {
  const none: Version = [0, 0, 0];
  const [left, right] = [parseVersion(a) ?? none, parseVersion(b) ?? none];
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

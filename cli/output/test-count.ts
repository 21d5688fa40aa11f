/** What is read of vitest's JSON report. */
export interface TestReport {
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

export interface TestCount {
  passed: number;
  failed: number;
  skipped: number;
}

/** A file that failed as a whole (it could not be loaded, or a hook threw) counts as one failed test. */
export function countTests(report: TestReport | undefined): TestCount {
  const count: TestCount = { passed: 0, failed: 0, skipped: 0 };
  for (const { status, assertionResults } of report?.testResults ?? []) {
    const failedBefore = count.failed;
    for (const test of assertionResults) {
      if (test.status === "passed") count.passed++;
      else if (test.status === "failed") count.failed++;
      else count.skipped++;
    }
    if (status === "failed" && count.failed === failedBefore) count.failed++;
  }
  return count;
}

/** `12 passed, 0 failed` or `12 passed, 0 failed, 1 skipped` */
export function countLine({ passed, failed, skipped }: TestCount): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

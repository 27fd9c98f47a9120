// The test runner: test(name, body), equal(found, expected), settle(). It runs all tests of the page
// when the document is complete; `results` is a promise of {passed: names, failed: lines}.
"use strict";
(() => {
  const tests = [];
  globalThis.test = (name, body) => tests.push({ name, body });

  // Compares as JSON.
  globalThis.equal = (found, expected) => {
    const [actual, wanted] = [JSON.stringify(found), JSON.stringify(expected)];
    if (actual !== wanted) throw new Error(`${actual} is not ${wanted}`);
  };

  // Waits until promises that can settle have settled.
  globalThis.settle = async () => { for (let turn = 0; turn < 20; turn += 1) await null; };

  const run = async () => {
    const passed = [];
    const failed = [];
    for (const { name, body } of tests) {
      try {
        await body();
        passed.push(name);
      } catch (error) {
        failed.push(`${name}: ${error.stack ?? error}`);
      }
    }
    const report = [...failed, `${passed.length} passed, ${failed.length} failed`];
    document.getElementById("report").textContent = report.join("\n");
    return { passed, failed };
  };

  globalThis.results = new Promise((resolve) => {
    document.addEventListener("DOMContentLoaded", () => resolve(run()));
  });
})();

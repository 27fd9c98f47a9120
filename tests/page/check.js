// What the tests of this folder are written with: test(name, body), equal, soon.
"use strict";
(() => {
  const tests = [];
  globalThis.test = (name, body) => tests.push({ name, body });

  globalThis.equal = (found, wanted) => {
    const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
    if (is !== should) throw new Error(`${is} is not ${should}`);
  };

  // Lets promises that can settle do so.
  globalThis.soon = async () => { for (let turn = 0; turn < 20; turn += 1) await null; };

  // Runs everything; {passed: names, failed: lines}.
  globalThis.runTests = async () => {
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
    return { passed, failed };
  };
})();

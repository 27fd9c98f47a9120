"use strict";
globalThis.results = globalThis.runTests();
globalThis.results.then(({ passed, failed }) => {
  document.getElementById("report").textContent = [...failed, `${passed.length} passed, ${failed.length} failed`].join("\n");
});

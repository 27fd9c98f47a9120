// QR codes. A worker (qr_worker.js) draws them, with a library that is loaded for the first one.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const browserWorker = () => new Worker(GTChat.workerAddress("qr"));

  // Returns a promise of {size, path} of a text; see qr_worker.js. It is null where there are no workers, as in some
  // browsers for a page from disk, or where the worker cannot be loaded.
  GTChat.drawQr = (text, makeWorker = browserWorker) => new Promise((resolve) => {
    let worker;
    const end = (drawn) => {
      worker?.terminate();
      resolve(drawn?.size ? drawn : null);
    };
    try {
      worker = makeWorker();
      worker.onmessage = ({ data }) => end(data);
      worker.onerror = () => end(null);
      worker.postMessage({ text });
    } catch {
      end(null);
    }
  });
})();

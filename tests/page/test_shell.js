// shell.js: which server a page belongs to.
"use strict";
(() => {
  test("the WebSocket is beside the page, under the path of a proxy too", () => {
    for (const [page, socket] of [
      ["http://chat.example/", "ws://chat.example/ws"],
      ["http://127.0.0.1:8080/client.html", "ws://127.0.0.1:8080/ws"],
      ["https://chat.example:8443/?a=b#c", "wss://chat.example:8443/ws"],
      ["https://www.example/chat/", "wss://www.example/chat/ws"],
      ["https://www.example/a/chat/client.html?x=/y/", "wss://www.example/a/chat/ws"],
      ["http://[::1]:8080/chat/", "ws://[::1]:8080/chat/ws"],
    ]) {
      equal(GTChat.Shell.socketURL(page), socket);
    }
  });
})();

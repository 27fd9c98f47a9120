// A bot that answers direct messages, and messages in the lobby that have its name.
//
//   node examples/echo.mjs [URL] [NAME]        Node 22
//   node --experimental-websocket examples/echo.mjs    Node 20

import { CommandFailed, ConnectionClosed, GTChat } from "./gtchat-client.mjs";

const [url = "ws://127.0.0.1:9000/", name = "echo"] = process.argv.slice(2);
const chat = new GTChat(url, { login: { type: "tmp", usr: name } });

const answer = async (event) => {
  try {
    if (event.cmd === "c_whisper") {
      await chat.call("whisper", { target_user: event.usr, msg: `You said: ${event.msg}` });
    } else if (event.cmd === "c_speak" && event.usr !== chat.user && event.msg.includes(chat.user)) {
      await chat.call("speak", { room_name: event.room_name, msg: `Hello, ${event.usr}.` });
    }
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    console.error(error.message); // the user is a guest who has left, say
  }
};

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => chat.close());
try {
  await chat.connect();
  console.log(`${chat.user} is logged in`);
  for await (const event of chat.events()) await answer(event);
} catch (error) {
  if (!(error instanceof ConnectionClosed || error instanceof CommandFailed)) throw error;
  if (error.code !== 1000) { // 1000: a signal has closed it, perhaps during an answer
    console.error(error.message);
    process.exitCode = 1;
  }
}

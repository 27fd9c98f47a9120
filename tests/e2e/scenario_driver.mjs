// Runs clients of examples/gtchat-client.mjs for tests/e2e/test_scenarios.py. Commands come as lines of
// JSON on standard input, observations go as lines of JSON to standard output; both are described there.

import { createInterface } from "node:readline";
import { ConnectionClosed, CommandFailed, GTChat, Unanswered } from "../../examples/gtchat-client.mjs";

// Gives the reply to a resume together with the message after it, as Node does with what it reads at once: between the
// two no promise goes on.
const HELD_MS = 100; // where no message comes
globalThis.WebSocket = class extends WebSocket {
  addEventListener(type, handle) {
    let release = () => {};
    super.addEventListener(type, (event) => {
      release();
      if (!event.data?.includes?.('"resumed":')) return handle(event);
      const timer = setTimeout(() => release(), HELD_MS);
      release = () => {
        release = () => clearTimeout(timer);
        handle(event);
      };
    });
  }
};

const clients = new Map();
const tell = (client, observation) => console.log(JSON.stringify({ client, ...observation }));

// Translates an event; undefined for those that the tests do not look at.
const translate = (event) => {
  const { room_name: room, seq, epoch, usr: user, msg: text } = event;
  switch (event.cmd) {
    case "c_speak": return { saw: "message", room, seq, epoch, user, text };
    case "c_whisper": return { saw: "whisper", user, text };
    case "lost": return { saw: "lost", code: event.code, retry_in: event.retryIn };
    case "restored": return { saw: "restored" };
    case "reset": return { saw: "reset", room, reason: event.reason };
    default: return undefined;
  }
};

const read = async (name, client, gate) => {
  try {
    for await (const event of client.events()) {
      await gate.open;
      const observation = translate(event);
      if (observation) tell(name, observation);
    }
    tell(name, { saw: "closed", code: 1000 });
  } catch (error) {
    const reason = [4001, 4002].includes(error.code) ? error.word : undefined; // the other codes say all
    tell(name, { saw: "closed", code: error.code, reason });
  }
};

const failure = (error) => {
  if (error instanceof CommandFailed) return error.code;
  if (error instanceof ConnectionClosed) return "closed";
  return error instanceof Unanswered ? "unanswered" : String(error.stack);
};

const commands = {
  async open({ client: name, url, login, after, timeout, events }) {
    const options = { login, after, callTimeout: timeout, maxEvents: events, backoff: [0.05, 0.2] };
    const client = new GTChat(url, options);
    const gate = {};
    clients.set(name, { client, gate });
    await client.connect();
    read(name, client, gate);
    return { user: client.user };
  },
  call: ({ client, cmd, fields }) => clients.get(client).client.call(cmd, fields),
  close: ({ client }) => clients.get(client).client.close(),
  hold({ client }) {
    const { gate } = clients.get(client);
    gate.open = new Promise((resolve) => { gate.release = resolve; });
  },
  release: ({ client }) => clients.get(client).gate.release(),
  end: ({ client }) => clients.get(client)?.client.close(0),
  rooms: ({ client }) => clients.get(client).client.rooms.length,
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  Promise.resolve().then(() => commands[command.do](command)).then(
    (ok) => tell(command.client, { id: command.id, ok: ok ?? null }),
    (error) => tell(command.client, { id: command.id, error: failure(error) }),
  );
}).on("close", () => process.exit(0));

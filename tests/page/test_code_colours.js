// code_colours.js: which code is given to the worker, how long it may take, and what is kept.
"use strict";
(() => {
  const TIME_LIMIT = 500;
  const MINUTE = 60_000;
  const PIECES = [["key", "if"], ["", " x"]];

  // A worker that tests answer for. `posted` are the texts that it was given.
  class FakeWorker {
    posted = [];
    ended = false;

    postMessage({ code }) { this.posted.push(code); }
    terminate() { this.ended = true; }
    say(data) { this.onmessage({ data }); }
  }

  // Returns colours with their clock and their workers, each of which is ready at once unless ready is false.
  // fails: whether none can be made.
  const make = ({ ready = true, fails = false } = {}) => {
    const clock = new FakeServer();
    const workers = [];
    const makeWorker = () => {
      const worker = new FakeWorker();
      workers.push(worker);
      if (fails) throw new Error("no workers");
      if (ready) Promise.resolve().then(() => worker.say({ ready: true }));
      return worker;
    };
    const colours = new GTChat.CodeColours({ ...clock.environment, makeWorker });
    const drawn = [];
    const ask = (code, tag = "py") => colours.request(tag, code, () => drawn.push(code));
    const posted = () => workers.map((worker) => worker.posted);
    return { clock, workers, colours, drawn, ask, posted };
  };

  test("code is coloured if its language is known and it is not too long", async () => {
    for (const [tag, known] of [["python", true], ["Py", true], ["c++", true], ["js {1,3}", true], ["js{1}", true],
      ["html title=x", true], ["", false], [null, false], ["klingon", false], ["constructor", false], ["__proto__", false],
      ["core", false], [" ", false]]) {
      const { ask, posted } = make();
      ask("x", tag);
      await settle();
      equal([tag, posted()], [tag, known ? [["x"]] : []]);
    }
    for (const [length, known] of [[4000, 1], [4001, 0]]) {
      const { ask, workers } = make();
      ask("x".repeat(length));
      equal(workers.length, known);
    }
  });

  test("what was found is kept, and drawn without a question to the worker", async () => {
    const { colours, ask, drawn, workers, posted } = make();
    ask("if x");
    ask("if x", "python");
    await settle();
    equal([colours.pieces("py", "if x"), drawn], [null, []]);
    workers[0].say({ pieces: PIECES });
    equal([colours.pieces("py", "if x"), colours.pieces("python", "if x"), colours.pieces("js", "if x")], [PIECES, PIECES, null]);
    equal(drawn, ["if x", "if x"]);
    ask("if x");
    await settle();
    equal([posted(), drawn.length], [[["if x"]], 2]);
  });

  test("the newest text is first, and a request that was taken back is not made", async () => {
    const { ask, workers, posted, drawn } = make({ ready: false });
    ask("one");
    const forget = ask("two");
    ask("three");
    forget();
    equal(posted(), [[]]);
    workers[0].say({ ready: true });
    equal(posted(), [["three"]]);
    workers[0].say({ pieces: PIECES });
    workers[0].say({ pieces: null });
    equal([posted(), drawn], [[["three", "one"]], ["three"]]);
  });

  test("a worker that takes too long is ended; its text is not tried again, the next one is", async () => {
    const { clock, colours, ask, drawn, workers, posted } = make();
    ask("hostile");
    await settle();
    ask("good");
    await clock.advance(TIME_LIMIT - 1);
    equal([workers.length, workers[0].ended], [1, false]);
    await clock.advance(1);
    equal([workers.length, workers[0].ended, posted()], [2, true, [["hostile"], ["good"]]]);
    workers[0].say({ pieces: PIECES }); // too late
    equal(colours.pieces("py", "good"), null);
    workers[1].say({ pieces: PIECES });
    ask("hostile");
    await clock.advance(MINUTE);
    equal([posted(), drawn, colours.pieces("py", "hostile")], [[["hostile"], ["good"]], ["good"], null]);
    equal([workers[1].ended, clock.timers.size], [false, 0]);
  });

  test("after three ended workers in a minute there is none for a minute", async () => {
    const { clock, ask, posted, workers, drawn } = make();
    for (const code of ["good", "c", "b", "a"]) ask(code);
    await settle();
    await clock.advance(3 * TIME_LIMIT);
    equal([posted(), workers.every(({ ended }) => ended)], [[["a"], ["b"], ["c"]], true]);
    await clock.advance(MINUTE - 1);
    equal(workers.length, 3);
    await clock.advance(1);
    workers.at(-1).say({ pieces: PIECES });
    equal([posted().at(-1), drawn], [["good"], ["good"]]);
    // Those that are longer ago do not count.
    const slow = make();
    for (const code of ["a", "b", "c", "d"]) {
      slow.ask(code);
      await settle();
      await slow.clock.advance(MINUTE / 2);
    }
    equal(slow.posted(), [["a"], ["b"], ["c"], ["d"]]);
  });

  test("a worker that cannot be made or loaded leaves the code as it is", async () => {
    const { clock, ask, workers } = make({ fails: true });
    ask("if x");
    equal(workers.length, 3);
    await clock.advance(MINUTE - 1);
    equal(workers.length, 3);
    const { ask: askOther, workers: others, drawn } = make({ ready: false });
    askOther("if x");
    for (let number = 0; number < 3; number += 1) others.at(-1).onerror(new Event("error", { cancelable: true }));
    equal([others.map(({ ended }) => ended), drawn], [[true, true, true], []]);
  });

  test("the texts that are kept and those that wait have a bound", async () => {
    const { ask, workers, colours } = make();
    const codes = Array.from({ length: 201 }, (_, number) => `if ${number}`);
    for (const code of codes) {
      ask(code);
      await settle();
      workers[0].say({ pieces: PIECES });
    }
    equal(codes.filter((code) => !colours.pieces("py", code)), ["if 0"]);
    const waiting = make({ ready: false });
    for (const code of codes) waiting.ask(code);
    waiting.workers[0].say({ ready: true });
    const [served] = waiting.posted();
    for (let number = 0; number < served.length; number += 1) waiting.workers[0].say({ pieces: PIECES });
    equal([served.length, served.at(-1)], [200, "if 1"]);
  });
})();

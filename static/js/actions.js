// What the user does and what is asked of the server. It owns the connection, passes what comes from it to
// sync.js, and runs the effects. What is done with messages is in message_actions.js.
//
// Requests are promises that fail with a RequestError or a NoReplyError. Events: "change" (of the
// state), "message" (of another user: {conversation, usr, msg, mention}), "unsent" (texts that will not be sent: {conversation, texts, gone}), "notice" (a text to
// show: {text, values}), "over" (the session has ended: {code, reason}).
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { sync, transitions, invitations, readMarks } = GTChat;

  // Milliseconds between two read marks of a room, between two typing signals of the user, and for
  // which the typing of another user is shown.
  const MARK_INTERVAL = 1000;
  const TYPING_INTERVAL = 3200;
  const TYPING_SHOWN = 6000;
  // Milliseconds after the last reason to ask what is unread until it is asked.
  const RECOUNT_DELAY = 2000;
  // Errors of an answer to an invitation that can no longer be answered.
  const INVITATION_OVER = new Set(["not_allowed", "no_such_room", "no_such_user", "already_in_room", "private_room"]);
  // Errors of an answer to a request for the address that can no longer be answered.
  const REQUEST_OVER = new Set(["not_allowed", "no_such_user"]);

  GTChat.Actions = class extends GTChat.MessageActions {
    #typingTimers = new Map(); // "conversation user" -> cancels the timer
    #nextTyping = new WeakMap(); // Room -> time from which the next typing signal may be sent
    #marking = new WeakSet(); // rooms whose read mark was reported within MARK_INTERVAL
    #cancelDirects = () => {}; // cancels the loading of their list that is about to begin
    #cancelRecount = () => {};
    #lists;

    #effects = {
      loadHistory: ({ room }) => this.loadHistory(room, "latest"),
      loadMembers: ({ room }) => this.#lists.loadMembers(room),
      loadRooms: () => this.#lists.loadRooms(),
      loadDirects: (list) => this.loadDirects(list),
      loadMore: (list) => this.#lists.loadMore(list),
      loadRoomPages: (list) => this.#lists.loadRoomPages(list),
      recount: () => this.#recount(),
      loadMentions: () => this.loadMentions(),
      findReports: (found) => this.#lists.findReports(found),
      keepUnsent: (unsent) => this.#keepUnsent(unsent),
      markRead: ({ room }) => this.#markRead(room),
      expireTyping: ({ room, usr }) => this.#expireTyping(room, usr),
      notice: (shown) => this.emit("notice", shown),
      message: (message) => this.emit("message", message),
    };

    constructor(state, connection) {
      super(state, connection);
      const run = (effects) => this.#run(effects);
      this.#lists = new GTChat.Lists(state, (cmd, fields) => this.request(cmd, fields), run);
      this.search = new GTChat.Search(state, connection, () => this.emit("change"));
      connection.seen = () => state.seen;
      connection.on("login", (reply, fields) => this.#run(sync.reply(state, "login", reply, fields)));
      connection.on("resumed", (reply) => {
        this.#run(sync.reply(state, "resume", reply, { listsInvitations: Boolean(connection.hello.features?.includes("marks_read")) }));
        this.search.onResumed(reply);
      });
      connection.on("push", (push) => {
        this.search.onPush(push);
        this.#run(sync.push(state, push));
      });
      connection.on("over", (end) => this.emit("over", end));
      connection.on("state", () => this.emit("change"));
    }

    #run(effects) {
      for (const { effect, ...details } of effects) this.#effects[effect](details);
      this.emit("change");
    }

    // Sends any command and takes in its reply. Returns the reply.
    // onDelay: see Connection.request.
    async request(cmd, fields = {}, onDelay = undefined) {
      const reply = await this.connection.request(cmd, fields, onDelay);
      this.#run(sync.reply(this.state, cmd, reply, fields));
      return reply;
    }

    #keepUnsent({ conversation, items, gone }) {
      for (const { txn } of items) this.connection.cancel(txn);
      this.emit("unsent", { conversation, texts: items.map(({ msg }) => msg), gone });
    }

    // Session.

    // The state follows from the connection's "login" event.
    login(fields) { return this.connection.request("login", { ...fields, marks_read: true }); }

    register(fields) { return this.request("register", fields); }

    // Without a connection the server ends the session by itself, later. forget: whether the server is to
    // forget the token of this device.
    async logout(forget = false) {
      if (this.connection.state === "open") {
        this.flushReadMarks();
        await this.request("logout", forget ? { forget } : {}).catch(() => {});
      }
      this.emit("over", { code: "logout" });
    }

    // Rooms. What opens one returns it.

    createRoom(fields) { return this.#enter("create_room", fields); }

    joinRoom(name) { return this.#enter("join_room", { room_name: name }); }

    // A request that was sent again may have been done in a room that is gone.
    async #enter(cmd, fields) {
      const { room } = await this.request(cmd, fields);
      if (!room) throw Object.assign(new Error(), { code: "no_such_room" });
      return this.state.room(room.room_name);
    }

    leaveRoom(name) { return this.request("leave_room", { room_name: name }); }

    // invitation: one of the state's; answer: "Y", "N" or "L" (later).
    async answerInvitation(invitation, answer) {
      const { usr, room_name } = invitation;
      try {
        const { room } = await this.request("invite_reply", { inviter: usr, room_name, reply: answer });
        return room && this.state.room(room_name);
      } catch (error) {
        if (!INVITATION_OVER.has(error.code)) throw error;
        invitations.end(this.state, invitation);
        this.#run([transitions.notice(error.code)]);
        return undefined;
      }
    }

    // Asks for the present member counts and topics: the server pushes those of the user's own rooms alone.
    refreshRooms() { return this.#lists.loadRooms({ rest: false }); }

    // Returns a promise of a room as users see it who are not members: one that is not joined, with its last messages.
    async preview(room) {
      const page = await this.connection.request("history", { ...room.place, preview: true });
      const shown = Object.assign(new GTChat.Room(room.name), { owner: room.owner, lastSeq: room.lastSeq });
      shown.addPage("latest", page);
      // What is before the preview can't be loaded.
      for (const { reply } of shown.entries) if (reply && !shown.entryAt(reply.seq)) shown.keepQuote(reply.seq, null);
      return shown;
    }

    // Returns a promise of whether a user has a name, online or not: then there is a log of messages with them.
    async findUser(name) {
      const log = this.connection.request("history", { target_user: name, limit: 1 });
      return log.then(() => true, () => false);
    }

    // Peer-to-peer connections.

    // Tells the server on which port another client of the user listens; a browser cannot listen.
    async setListenPort(port) {
      if (!(port >= 1024 && port <= 65_535)) throw Object.assign(new Error(), { code: "bad_port", field: "port" });
      await this.request("set_address", { port });
    }

    // answer: "allow" or "deny". A request that is no longer there ends.
    async answerAddressRequest(usr, answer) {
      try {
        await this.request(answer, { user: usr });
      } catch (error) {
        if (!REQUEST_OVER.has(error.code)) throw error;
        this.#run([...sync.reply(this.state, answer, {}, { user: usr }), transitions.notice(error.code)]);
      }
    }

    // The open conversation.

    open(conversation) { this.#run(transitions.open(this.state, conversation)); }

    // Loads the list of direct conversations, at most so many pages of it, after `wait` milliseconds.
    loadDirects({ pages, wait }) {
      const load = () => this.#lists.loadDirects({ pages });
      this.#cancelDirects();
      this.#cancelDirects = () => {};
      if (wait) this.#cancelDirects = this.connection.after(wait, load);
      else load();
    }

    // Returns a promise of the direct conversation with an id; it fails if the user has none.
    async findDirect(id) {
      const found = () => this.state.directById(id);
      await this.#lists.loadDirects({ found });
      if (!found()) throw Object.assign(new Error(), { code: "no_such_room" });
      return found();
    }

    closeDirect(direct) { this.#run(transitions.closeDirect(this.state, direct)); }

    // focused: whether the page is visible and has the focus.
    setFocused(focused) { this.#run(transitions.setFocused(this.state, focused)); }

    // shown: whether the end of the conversation is in view.
    setEndShown(conversation, shown) {
      if (conversation.endShown !== shown) this.#run(transitions.setEndShown(this.state, conversation, shown));
    }

    // Loads a page of the log of a conversation, see Room.historyQuery.
    async loadHistory(room, direction, seq) {
      const query = room.historyQuery(direction, seq);
      if (!query) return;
      if (direction === "around") room.windowId += 1;
      const { windowId } = room;
      room.loading = direction;
      this.emit("change");
      const page = await this.connection.request("history", { ...room.place, ...query }).catch(() => null);
      if (room.windowId !== windowId) return;
      if (page) room.addPage(direction, page);
      room.failed = !page;
      room.loading = null;
      this.#run(transitions.read(this.state, room));
    }

    // Goes to the end of a room's log from anywhere in it.
    loadLatest(room) {
      room.reset(room.lastSeq);
      return this.loadHistory(room, "latest");
    }

    // Takes the "New" divider away.
    hideDivider(conversation) { this.#run(transitions.hideDivider(this.state, conversation)); }

    // Read marks: they show the user's other sessions what was read.

    async #markRead(room) {
      if (this.#marking.has(room) || room.readSeq <= room.markedSeq || !this.connection.session) return;
      this.#marking.add(room);
      await this.#sendReadMark(room);
      this.connection.after(MARK_INTERVAL, () => {
        this.#marking.delete(room);
        if (room.joined) this.#markRead(room);
      });
    }

    async #sendReadMark(room, seq = room.readSeq) {
      room.markedSeq = seq;
      await this.request("mark_read", { ...room.place, seq }).catch(() => {});
    }

    // Marks a conversation as unread from the entry `seq` on. What was read before and is not reported is reported.
    async markUnread(room, seq) {
      if (room.markedSeq < seq - 1) this.#sendReadMark(room, seq - 1);
      this.#run(readMarks.setBack(this.state, room, seq - 1));
      try {
        await this.request("mark_unread", { ...room.place, seq });
      } catch (error) {
        room.held = false;
        this.#run(readMarks.recount(room));
        throw error;
      }
    }

    // Marks all conversations with unread mentions as read.
    readMentions() {
      this.#run(transitions.readWhole(this.state, this.state.conversations.filter(({ mentions }) => mentions > 0)));
    }

    loadMentions() { return this.#lists.loadMentions(); }

    // Asks the server what is unread where that is not known, once for all reasons.
    #recount() {
      this.#cancelRecount();
      this.#cancelRecount = this.connection.after(RECOUNT_DELAY, () => this.#lists.recount());
    }

    // Sets which messages of a conversation cause a notification, on all devices. level: "all", "mentions" or "none".
    setLevel(room, level) { return this.request("set_notify", { ...room.place, level }); }

    // Reports at once what was read and is not reported yet, before the session ends.
    flushReadMarks() {
      for (const room of this.state.conversations) if (room.readSeq > room.markedSeq) this.#sendReadMark(room);
    }

    // Typing.

    // Tells the others in a conversation that the user is typing, at most every TYPING_INTERVAL.
    typing(conversation) {
      const { connection } = this;
      if (conversation.readOnly || conversation.name === this.state.me || connection.busy) return;
      if (connection.now < (this.#nextTyping.get(conversation) ?? 0)) return;
      this.#nextTyping.set(conversation, connection.now + TYPING_INTERVAL);
      connection.request("typing", conversation.place).catch(() => {});
    }

    #expireTyping(room, usr) {
      const key = `${room.key} ${usr}`;
      this.#typingTimers.get(key)?.();
      this.#typingTimers.set(key, this.connection.after(TYPING_SHOWN, () => {
        this.#typingTimers.delete(key);
        room.typing.delete(usr);
        this.emit("change");
      }));
    }
  };
})();

// A direct conversation: a room of the user and one other, or of the user alone. The server keeps its log.
//
// It is named by the other user, whose name can pass to another account; the log has an id, which the server's
// list tells once there is a message.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  let count = 0;

  GTChat.Direct = class extends GTChat.Room {
    kind = "direct";

    constructor(name) {
      super(name);
      this.key = `direct ${++count}`; // stays the same when the id becomes known
      this.id = null; // of the log; null: not known, or there is none yet
      this.guest = false; // whether the other user is a temporary one
      this.ended = false; // whether the account of the other user has ended: then it can only be read
      this.at = null; // time of the newest message; null: there is none
      this.closed = false; // whether the user has closed it: then it is hidden until the next message
      this.public = false;
      this.joined = true;
      this.members = new Set([name]);
      this.membersLoaded = true;
    }

    // The fields of a request that name it. By its id no message can reach another account of the same name.
    get place() { return this.id === null ? { target_user: this.name } : { direct: this.id }; }

    get readOnly() { return this.ended; }

    // Its members are known from the start.
    forgetMembers() {}

    // Takes in an entry as `Room.append` does. A message shows it again and makes it the newest.
    append(entry, me) {
      const isNew = super.append(entry, me);
      if (isNew && entry.cmd === "c_whisper") Object.assign(this, { at: entry.at, closed: false });
      return isNew;
    }

    // Returns whether a pushed message cannot be of this log: another account has the name now.
    contradicts({ seq, id }) {
      const known = this.entryAt(seq);
      return known ? known.id !== id : seq === 1 && this.lastSeq > 1;
    }
  };
})();

// Requests that get no reply or are refused: which of them a connection sends again, the keys by which the
// server knows them again, and the errors with which the others fail.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Errors after which a message is sent again.
  const PASSING_ERRORS = new Set(["rate_limited", "over_quota", "not_stored"]);
  // Commands that may be sent again without a txn when the reply was lost, since they change nothing, or
  // nothing more the second time, and when they were refused by the limit of all commands. Those with
  // a limit of their own are not among them: a search is repeated by what shows it, and nothing
  // repeats `typing`, which is out of date then.
  const IDEMPOTENT = new Set([
    "answer_report", "block", "delete_messages", "end_other_sessions", "end_session", "find_invite_link", "get_direct_list", "get_invite_links",
    "get_mentions", "get_moderation", "get_profile", "get_reports", "get_room_list", "get_sessions", "get_user_list", "get_room_user_list", "hello", "history",
    "mark_read", "mark_unread", "ping", "report", "set_address", "set_notify", "set_profile", "unblock", "versions",
  ]);
  // Commands that get a txn if they have none: they are sent again only when the reply was lost.
  const ONCE = new Set([
    "add_member", "ban", "create_room", "delete_room", "invite", "invite_reply", "join_room", "kick", "leave_room", "mute",
    "remove_member", "set_role", "set_room", "unban", "unmute",
  ]);
  // The longest wait before a refused request is sent again, in milliseconds, if the server tells none.
  const MAX_RETRY = 30_000;

  // Returns a random UUID (version 4, RFC 9562). crypto.randomUUID is missing in pages without TLS.
  GTChat.randomKey = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };

  // The server has replied with an error. code: see docs/protocol.md; retryAfter: seconds or undefined.
  GTChat.RequestError = class extends Error {
    constructor(reply) {
      super(reply.msg);
      this.code = reply.code;
      this.retryAfter = reply.retry_after;
      this.used = reply.used;
      this.allowed = reply.allowed;
    }
  };

  // The connection was lost before the reply came, and the request must not be sent twice.
  GTChat.NoReplyError = class extends Error {
    constructor() {
      super("");
      this.code = "unanswered";
    }
  };

  // Returns for how many milliseconds a refused request has to wait.
  const retryWait = ({ retry_after: seconds }, refusals) => (
    seconds === undefined ? Math.min(MAX_RETRY, 1000 * 2 ** (refusals - 1)) : seconds * 1000);

  // Returns whether a request that was refused with this code is sent again.
  const isRetried = ({ cmd, fields, internal }, code) => {
    if (internal) return false;
    return fields.txn ? PASSING_ERRORS.has(code) : code === "rate_limited" && IDEMPOTENT.has(cmd);
  };

  // Returns the key by which the server knows a request again, undefined for none.
  const txnOf = (cmd, { txn }) => txn ?? (ONCE.has(cmd) ? GTChat.randomKey() : undefined);

  // Returns whether a request without a reply may be sent after the connection was lost.
  const isRepeatable = ({ cmd, txn, sends }) => !sends || txn || IDEMPOTENT.has(cmd);

  GTChat.requests = { retryWait, isRetried, txnOf, isRepeatable };
})();

// Types of the JSON API, subprotocol gtchat.v1, made from the types of the server by
// `python -m gtchat.protocols.gtchat_json.typescript`. docs/protocol.md says what they mean.
//
// Later versions add fields, pushes, events and codes: ignore what these types do not name.

export type Request =
  | RegisterRequest
  | LoginRequest
  | ResumeRequest
  | HelloRequest
  | LogoutRequest
  | GetSessionsRequest
  | EndSessionRequest
  | EndOtherSessionsRequest
  | UpdatePwdRequest
  | DeleteAccountRequest
  | GetProfileRequest
  | SetProfileRequest
  | ExportAccountRequest
  | GetRoomListRequest
  | GetUserListRequest
  | GetRoomUserListRequest
  | CreateRoomRequest
  | SetRoomRequest
  | DeleteRoomRequest
  | InviteRequest
  | InviteReplyRequest
  | AddMemberRequest
  | RemoveMemberRequest
  | JoinRoomRequest
  | LeaveRoomRequest
  | KickRequest
  | SetRoleRequest
  | BanRequest
  | UnbanRequest
  | MuteRequest
  | UnmuteRequest
  | GetModerationRequest
  | DeleteMessagesRequest
  | ReportRequest
  | GetReportsRequest
  | AnswerReportRequest
  | SpeakRequest
  | EditRequest
  | DeleteRequest
  | ReactRequest
  | PinRequest
  | UnpinRequest
  | VersionsRequest
  | HistoryRequest
  | SearchRequest
  | TypingRequest
  | MarkReadRequest
  | MarkUnreadRequest
  | SetNotifyRequest
  | GetMentionsRequest
  | WhisperRequest
  | GetDirectListRequest
  | BroadcastRequest
  | BlockRequest
  | UnblockRequest
  | SetAddressRequest
  | GetAddressRequest
  | AllowRequest
  | DenyRequest
  | CreateInviteLinkRequest
  | GetInviteLinksRequest
  | RevokeInviteLinkRequest
  | FindInviteLinkRequest
  | CreateLoginLinkRequest
  | AdminRequest
  | PingRequest;

export type Reply =
  | RegisterReply
  | LoginReply
  | ResumeReply
  | HelloReply
  | LogoutReply
  | GetSessionsReply
  | EndSessionReply
  | EndOtherSessionsReply
  | UpdatePwdReply
  | DeleteAccountReply
  | GetProfileReply
  | SetProfileReply
  | ExportAccountReply
  | GetRoomListReply
  | GetUserListReply
  | GetRoomUserListReply
  | CreateRoomReply
  | SetRoomReply
  | DeleteRoomReply
  | InviteReply
  | InviteReplyReply
  | AddMemberReply
  | RemoveMemberReply
  | JoinRoomReply
  | LeaveRoomReply
  | KickReply
  | SetRoleReply
  | BanReply
  | UnbanReply
  | MuteReply
  | UnmuteReply
  | GetModerationReply
  | DeleteMessagesReply
  | ReportReply
  | GetReportsReply
  | AnswerReportReply
  | SpeakReply
  | EditReply
  | DeleteReply
  | ReactReply
  | PinReply
  | UnpinReply
  | VersionsReply
  | HistoryReply
  | SearchReply
  | TypingReply
  | MarkReadReply
  | MarkUnreadReply
  | SetNotifyReply
  | GetMentionsReply
  | WhisperReply
  | GetDirectListReply
  | BroadcastReply
  | BlockReply
  | UnblockReply
  | SetAddressReply
  | GetAddressReply
  | AllowReply
  | DenyReply
  | CreateInviteLinkReply
  | GetInviteLinksReply
  | RevokeInviteLinkReply
  | FindInviteLinkReply
  | CreateLoginLinkReply
  | AdminReply
  | PingReply
  | ErrorReply;

export type Push =
  | SpeakPush
  | WhisperPush
  | BroadcastPush
  | InvitedPush
  | InviteReplyPush
  | LoginEvent
  | LogoutEvent
  | PresenceEvent
  | RoomCreatedEvent
  | RoomChangedEvent
  | RoomGoneEvent
  | JoinRoomEvent
  | LeaveRoomEvent
  | KickedEvent
  | RemovedEvent
  | RoleEvent
  | MutedEvent
  | UnmutedEvent
  | BannedEvent
  | UnbannedEvent
  | ReportedEvent
  | ReportAnsweredEvent
  | ReplacedEvent
  | AddressRequestEvent
  | AddressGrantedEvent
  | AddressDeniedEvent
  | EditedEvent
  | DeletedEvent
  | ReactedEvent
  | PinnedEvent
  | UnpinnedEvent
  | TypingEvent
  | MarkedReadEvent
  | NotifyEvent
  | InvitationEndedEvent;

/** Create an account. `invite`: the secret of an invitation by link. */
export interface RegisterRequest {
  cmd: "register";
  pwd?: string | null;
  uuid?: string | null;
  invite?: string | null;
  link?: string | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Log in: a registered user (`reg`), a temporary one (`tmp`), a device that is remembered. */
export interface LoginRequest {
  cmd: "login";
  type: "device" | "link" | "reg" | "tmp";
  pwd?: string | null;
  uuid?: string | null;
  marks_read?: boolean;
  device?: string | null;
  device_name?: string | null;
  device_token?: string | null;
  remember?: boolean;
  link?: string | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Resume a session after its connection was lost. */
export interface ResumeRequest {
  cmd: "resume";
  session_id: string;
  epoch: string;
  seen?: Record<string, number>;
  marks_read?: boolean;
  seen_directs?: Record<string, number> | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Ask for version, limits and features of the server. */
export interface HelloRequest {
  cmd: "hello";
  strict?: boolean | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Log out. `forget`: whether the token of the device is revoked. */
export interface LogoutRequest {
  cmd: "logout";
  forget?: boolean;
  tracker?: string | number | null;
  usr?: string | null;
}

/** List where the user is logged in. */
export interface GetSessionsRequest {
  cmd: "get_sessions";
  tracker?: string | number | null;
  usr?: string | null;
}

/** End another session of the user. `id`: as listed. */
export interface EndSessionRequest {
  cmd: "end_session";
  id: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** End all other sessions of the user. */
export interface EndOtherSessionsRequest {
  cmd: "end_other_sessions";
  tracker?: string | number | null;
  usr?: string | null;
}

/** Change the password. */
export interface UpdatePwdRequest {
  cmd: "update_pwd";
  pwd: string;
  new_pwd: string;
  new_pwd2: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Delete the account of the user, who gives the password or the UUID again. */
export interface DeleteAccountRequest {
  cmd: "delete_account";
  pwd?: string | null;
  uuid?: string | null;
  messages?: string | null;
  directs?: string | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Ask who a user is. `user`: the name; absent for the user who asks. */
export interface GetProfileRequest {
  cmd: "get_profile";
  user?: string | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Change the profile of the user; a field that is absent stays as it is. */
export interface SetProfileRequest {
  cmd: "set_profile";
  about?: string | null;
  colour?: number | null;
  hide_last_seen?: boolean | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Ask for a link to an export of all that is stored of the user. */
export interface ExportAccountRequest {
  cmd: "export_account";
  pwd?: string | null;
  uuid?: string | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** List the rooms of the user and, unless `joined`, the other public rooms. */
export interface GetRoomListRequest {
  cmd: "get_room_list";
  tracker?: string | number | null;
  usr?: string | null;
  after?: string | null;
  limit?: number;
  joined?: boolean;
}

/** List the users who are online. */
export interface GetUserListRequest {
  cmd: "get_user_list";
  tracker?: string | number | null;
  usr?: string | null;
  after?: string | null;
  limit?: number;
}

/** List the members of a room, and those of them who are online. */
export interface GetRoomUserListRequest {
  cmd: "get_room_user_list";
  tracker?: string | number | null;
  usr?: string | null;
  after?: string | null;
  limit?: number;
  room_name: string;
}

/** Create a room. `max`: member limit, 0 for none. `preview`: unset for what `public` is. */
export interface CreateRoomRequest {
  cmd: "create_room";
  room_name: string;
  public?: boolean;
  topic?: string;
  max?: number;
  preview?: boolean | null;
  moderated?: boolean;
  slow?: number;
  keep_messages?: number;
  keep_days?: number;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Change a room. `master`: the new owner. */
export interface SetRoomRequest {
  cmd: "set_room";
  room_name: string;
  topic?: string | null;
  public?: boolean | null;
  max?: number | null;
  master?: string | null;
  preview?: boolean | null;
  moderated?: boolean | null;
  slow?: number | null;
  keep_messages?: number | null;
  keep_days?: number | null;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Delete a room. */
export interface DeleteRoomRequest {
  cmd: "delete_room";
  room_name: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Invite a user into a room. */
export interface InviteRequest {
  cmd: "invite";
  room_name: string;
  invitee: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Answer an invitation: Y, N or L (later). */
export interface InviteReplyRequest {
  cmd: "invite_reply";
  inviter: string;
  room_name: string;
  reply: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Add a user to a room. */
export interface AddMemberRequest {
  cmd: "add_member";
  room_name: string;
  user: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Remove a user from a room. */
export interface RemoveMemberRequest {
  cmd: "remove_member";
  room_name: string;
  user: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Join a room. */
export interface JoinRoomRequest {
  cmd: "join_room";
  room_name: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Leave a room. */
export interface LeaveRoomRequest {
  cmd: "leave_room";
  room_name: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Kick a user from a room, for a `reason`. */
export interface KickRequest {
  cmd: "kick";
  room_name: string;
  user: string;
  reason?: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
}

/** Give a member a role in a room: voice or moderator; empty to take the role. */
export interface SetRoleRequest {
  cmd: "set_role";
  role: string;
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
  room_name: string;
  user: string;
}

/** Ban a user from a room, or all whose names fit: `*` stands for any characters. */
export interface BanRequest {
  cmd: "ban";
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
  room_name: string;
  user: string;
  reason?: string;
  seconds?: number;
}

/** End a ban from a room. `user`: the name or the pattern that is banned. */
export interface UnbanRequest {
  cmd: "unban";
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
  room_name: string;
  user: string;
}

/** Mute a member of a room. */
export interface MuteRequest {
  cmd: "mute";
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
  room_name: string;
  user: string;
  reason?: string;
  seconds?: number;
}

/** End that a user is muted in a room. */
export interface UnmuteRequest {
  cmd: "unmute";
  tracker?: string | number | null;
  usr?: string | null;
  txn?: string | null;
  room_name: string;
  user: string;
}

/** List roles, mutes and bans of a room, for its moderators. */
export interface GetModerationRequest {
  cmd: "get_moderation";
  room_name: string;
  pattern?: string | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Delete the messages that a user sent to a room within the last hour. */
export interface DeleteMessagesRequest {
  cmd: "delete_messages";
  room_name: string;
  user: string;
  reason?: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Report a message of another user to those who moderate it, with the reason. */
export interface ReportRequest {
  cmd: "report";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
  reason?: string;
}

/** List reports, newest first: of a room, for its moderators; all, for operators. */
export interface GetReportsRequest {
  cmd: "get_reports";
  room_name?: string | null;
  own?: boolean;
  answered?: boolean;
  before?: string | null;
  limit?: number;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Answer a report. `answer`: what the user who has made it is told with the outcome. */
export interface AnswerReportRequest {
  cmd: "answer_report";
  report_id: number;
  outcome: "accepted" | "dismissed";
  answer?: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Send a message to a room or a user; with a broadcast key and neither, to all users. */
export interface SpeakRequest {
  cmd: "speak";
  msg: string;
  room_name?: string | null;
  txn?: string | null;
  broadcast_key?: string | null;
  reply?: number | null;
  style?: "" | "action";
  target_user?: string | null;
  direct?: number | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Give a message of the user's own another text. */
export interface EditRequest {
  cmd: "edit";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
  txn?: string | null;
  msg: string;
}

/** Delete a message. */
export interface DeleteRequest {
  cmd: "delete";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
  txn?: string | null;
  reason?: string;
}

/** React to a message; with `on` false, take that back. */
export interface ReactRequest {
  cmd: "react";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
  txn?: string | null;
  emoji: string;
  on?: boolean;
}

/** Pin a message. */
export interface PinRequest {
  cmd: "pin";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
  txn?: string | null;
}

/** Unpin a message. */
export interface UnpinRequest {
  cmd: "unpin";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
  txn?: string | null;
}

/** List the texts that a message had. */
export interface VersionsRequest {
  cmd: "versions";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
}

/** Read a log: entries before, after or around a seq, or the newest. */
export interface HistoryRequest {
  cmd: "history";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  before?: number | null;
  after?: number | null;
  around?: number | null;
  limit?: number;
  kinds?: string[];
  preview?: boolean;
}

/** Find messages in the rooms and direct conversations of the user, or in one of them. */
export interface SearchRequest {
  cmd: "search";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  q: string;
  before?: string | null;
  limit?: number;
}

/** Show the other members of a room, or a user, that the user is typing. */
export interface TypingRequest {
  cmd: "typing";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
}

/** Set the last entry of a room or a direct conversation that the user has read. */
export interface MarkReadRequest {
  cmd: "mark_read";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
}

/** Mark a room or a direct conversation as unread from an entry on. */
export interface MarkUnreadRequest {
  cmd: "mark_unread";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  seq: number;
}

/** Set of which messages the user is notified: all, mentions or none. */
export interface SetNotifyRequest {
  cmd: "set_notify";
  tracker?: string | number | null;
  usr?: string | null;
  room_name?: string | null;
  target_user?: string | null;
  direct?: number | null;
  level: string;
}

/** List messages that mention the user, newest first. `before`: a `next`. */
export interface GetMentionsRequest {
  cmd: "get_mentions";
  before?: string | null;
  limit?: number;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Send a direct message. */
export interface WhisperRequest {
  cmd: "whisper";
  target_user: string;
  msg: string;
  txn?: string | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** List the direct conversations of the user, newest first; `before` is a `next`. */
export interface GetDirectListRequest {
  cmd: "get_direct_list";
  before?: string | null;
  limit?: number;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Send a message to all users. */
export interface BroadcastRequest {
  cmd: "broadcast";
  msg: string;
  broadcast_key: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Block a user. */
export interface BlockRequest {
  cmd: "block";
  user: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Unblock a user. */
export interface UnblockRequest {
  cmd: "unblock";
  user: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Set the port where this client listens for peers. */
export interface SetAddressRequest {
  cmd: "set_address";
  port: number;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Ask a user for the address of their client. */
export interface GetAddressRequest {
  cmd: "get_address";
  user: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Give the address of this client to a user who asked for it. */
export interface AllowRequest {
  cmd: "allow";
  user: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Refuse the address of this client to a user who asked for it. */
export interface DenyRequest {
  cmd: "deny";
  user: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Make a link with which others register. */
export interface CreateInviteLinkRequest {
  cmd: "create_invite_link";
  uses?: number;
  days?: number;
  room_names?: string[];
  tracker?: string | number | null;
  usr?: string | null;
}

/** List the links of the user that are valid. */
export interface GetInviteLinksRequest {
  cmd: "get_invite_links";
  tracker?: string | number | null;
  usr?: string | null;
}

/** Revoke a link of the user. `link_id`: as listed. */
export interface RevokeInviteLinkRequest {
  cmd: "revoke_invite_link";
  link_id: number;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Ask what an invitation is for, before registering with it. `invite`: its secret. */
export interface FindInviteLinkRequest {
  cmd: "find_invite_link";
  invite: string;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Make a link that logs the user in on another device, once, within two minutes. */
export interface CreateLoginLinkRequest {
  cmd: "create_login_link";
  tracker?: string | number | null;
  usr?: string | null;
}

/** Run an administrative command, as an operator. */
export interface AdminRequest {
  cmd: "admin";
  name: string;
  args?: Record<string, string | number | boolean | null>;
  pwd?: string | null;
  tracker?: string | number | null;
  usr?: string | null;
}

/** Ask for the time of the server. */
export interface PingRequest {
  cmd: "ping";
  tracker?: string | number | null;
  usr?: string | null;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface RegisterReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "register";
  tracker: string;
  msg: string;
}

/** The user is logged in. `device_token`: secret of the device. `logged_out`: who was before. */
export interface LoginReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "login";
  tracker: string;
  msg: string;
  session_id: string;
  epoch: string;
  usr: string;
  users: string[];
  users_total: number;
  rooms: RoomInfo[];
  rooms_total: number;
  rooms_next?: string;
  blocked: string[];
  invitations?: Invitation[];
  directs?: DirectInfo[];
  operator?: boolean;
  device_token?: string;
  logged_out?: string;
}

/** The session is resumed. */
export interface ResumeReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "resume";
  tracker: string;
  msg: string;
  session_id: string;
  epoch: string;
  usr: string;
  users: string[];
  users_total: number;
  rooms: RoomInfo[];
  rooms_total: number;
  rooms_next?: string;
  blocked: string[];
  invitations?: Invitation[];
  directs?: DirectInfo[];
  operator?: boolean;
  resumed: Resumption[];
}

/** Version, limits and features of the server. */
export interface HelloReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "hello";
  tracker: string;
  msg: string;
  server: string;
  version: string;
  epoch: string;
  limits: Record<string, number>;
  features: string[];
  ping_interval: number;
  name: string;
  registration: string;
  guests: boolean;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface LogoutReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "logout";
  tracker: string;
  msg: string;
}

/** Where the user is logged in. */
export interface GetSessionsReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_sessions";
  tracker: string;
  msg: string;
  sessions: SessionInfo[];
  sessions_total: number;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface EndSessionReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "end_session";
  tracker: string;
  msg: string;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface EndOtherSessionsReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "end_other_sessions";
  tracker: string;
  msg: string;
}

/** The password is changed. `device_token`: the new secret of the device, if it had one. */
export interface UpdatePwdReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "update_pwd";
  tracker: string;
  msg: string;
  device_token?: string;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface DeleteAccountReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "delete_account";
  tracker: string;
  msg: string;
}

/** The profile of `user`. `last_seen`: absent while online, where it is not known or hidden. */
export interface GetProfileReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_profile";
  tracker: string;
  msg: string;
  user: string;
  about?: string;
  colour?: number;
  last_seen?: string;
  is_online?: boolean;
  guest?: boolean;
  hide_last_seen?: boolean;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface SetProfileReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "set_profile";
  tracker: string;
  msg: string;
}

/** Where an export is. `path`: below the address of the page, until `expires`. */
export interface ExportAccountReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "export_account";
  tracker: string;
  msg: string;
  path: string;
  expires: string;
}

/** A page of rooms. */
export interface GetRoomListReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_room_list";
  tracker: string;
  msg: string;
  rooms: RoomInfo[];
  rooms_total: number;
  rooms_next?: string;
}

/** A page of users. */
export interface GetUserListReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_user_list";
  tracker: string;
  msg: string;
  users: string[];
  users_total: number;
}

/** A page of the members of a room, and those of them who are online, or have a role. */
export interface GetRoomUserListReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_room_user_list";
  tracker: string;
  msg: string;
  users: string[];
  users_total: number;
  online: string[];
  roles?: Record<string, string>;
}

/** A room as it is after a change; absent if the user, with a repeated request, sees it no more. */
export interface CreateRoomReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "create_room";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
  room?: RoomDetails;
}

/** A room as it is after a change; absent if the user, with a repeated request, sees it no more. */
export interface SetRoomReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "set_room";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
  room?: RoomDetails;
}

/** What was asked for is done. `dup`: it was done before, when the same `txn` came first. */
export interface DeleteRoomReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "delete_room";
  tracker: string;
  msg: string;
  dup?: boolean;
}

/** What was asked for is done. `dup`: it was done before, when the same `txn` came first. */
export interface InviteReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "invite";
  tracker: string;
  msg: string;
  dup?: boolean;
}

/** A room as it is after a change; absent if the user, with a repeated request, sees it no more. */
export interface InviteReplyReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "invite_reply";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
  room?: RoomDetails;
}

/** A room as it is after a change; absent if the user, with a repeated request, sees it no more. */
export interface AddMemberReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "add_member";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
  room?: RoomDetails;
}

/** A room as it is after a change; absent if the user, with a repeated request, sees it no more. */
export interface RemoveMemberReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "remove_member";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
  room?: RoomDetails;
}

/** A room as it is after a change; absent if the user, with a repeated request, sees it no more. */
export interface JoinRoomReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "join_room";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
  room?: RoomDetails;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface LeaveRoomReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "leave_room";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface KickReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "kick";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface SetRoleReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "set_role";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface BanReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "ban";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface UnbanReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "unban";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface MuteReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "mute";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface UnmuteReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "unmute";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** What is moderated in a room. `roles`: user -> role. `mutes`, `bans`: the newest that fit. */
export interface GetModerationReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_moderation";
  tracker: string;
  msg: string;
  moderated: boolean;
  slow: number;
  roles: Record<string, string>;
  mutes: SanctionInfo[];
  bans: SanctionInfo[];
  matches?: number;
}

/** How many messages were deleted. */
export interface DeleteMessagesReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "delete_messages";
  tracker: string;
  msg: string;
  deleted: number;
}

/** A report that is stored. `dup`: the user has made it before. */
export interface ReportReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "report";
  tracker: string;
  msg: string;
  report_id: number;
  dup?: boolean;
}

/** A page of reports. `next`: `before` of the next page. */
export interface GetReportsReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_reports";
  tracker: string;
  msg: string;
  reports: ReportInfo[];
  next?: string;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface AnswerReportReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "answer_report";
  tracker: string;
  msg: string;
}

export type SpeakReply =
  | {
    cmd: "c_response";
    status: "ok";
    last_cmd: "speak";
    tracker: string;
    msg: string;
    id: string;
    seq: number;
    at: string;
    dup?: boolean;
  }
  | {
    cmd: "c_response";
    status: "ok";
    last_cmd: "speak";
    tracker: string;
    msg: string;
    recipients: number;
  };

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface EditReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "edit";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface DeleteReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "delete";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface ReactReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "react";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface PinReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "pin";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** A change is stored as an entry; without `seq` and `at` there was nothing to change. */
export interface UnpinReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "unpin";
  tracker: string;
  msg: string;
  dup?: boolean;
  seq?: number;
  at?: string;
}

/** The texts of a message, oldest first. */
export interface VersionsReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "versions";
  tracker: string;
  msg: string;
  versions: Version[];
}

/** A page of a log. `first` and `last` are the former names of `log_first` and `log_last`. */
export interface HistoryReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "history";
  tracker: string;
  msg: string;
  entries: Entry[];
  log_first: number;
  log_last: number;
  /** @deprecated */ first?: number;
  /** @deprecated */ last?: number;
  more: boolean;
}

/** A page of messages that were found, newest first; `next` is there if there may be more. */
export interface SearchReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "search";
  tracker: string;
  msg: string;
  entries: Entry[];
  more: boolean;
  next?: string;
  incomplete?: boolean;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface TypingReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "typing";
  tracker: string;
  msg: string;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface MarkReadReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "mark_read";
  tracker: string;
  msg: string;
}

/** The last entry of a room that counts as read. */
export interface MarkUnreadReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "mark_unread";
  tracker: string;
  msg: string;
  read_seq: number;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface SetNotifyReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "set_notify";
  tracker: string;
  msg: string;
}

/** A page of messages that mention the user; `next` is there if there are more. */
export interface GetMentionsReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_mentions";
  tracker: string;
  msg: string;
  entries: Entry[];
  more: boolean;
  next?: string;
}

/** A direct message is stored, and delivered if its recipient is online. */
export interface WhisperReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "whisper";
  tracker: string;
  msg: string;
  id: string;
  seq?: number;
  at: string;
  delivered: string;
  dup?: boolean;
}

/** A page of direct conversations; `next` is the `before` of the next page. */
export interface GetDirectListReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_direct_list";
  tracker: string;
  msg: string;
  directs: DirectInfo[];
  next?: string;
}

/** The number of users who received a broadcast. */
export interface BroadcastReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "broadcast";
  tracker: string;
  msg: string;
  recipients: number;
}

/** The names of the users that the user blocks. */
export interface BlockReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "block";
  tracker: string;
  msg: string;
  blocked: string[];
}

/** The names of the users that the user blocks. */
export interface UnblockReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "unblock";
  tracker: string;
  msg: string;
  blocked: string[];
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface SetAddressReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "set_address";
  tracker: string;
  msg: string;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface GetAddressReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_address";
  tracker: string;
  msg: string;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface AllowReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "allow";
  tracker: string;
  msg: string;
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface DenyReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "deny";
  tracker: string;
  msg: string;
}

/** A link that was made. `invite` is its secret, which is not told again. */
export interface CreateInviteLinkReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "create_invite_link";
  tracker: string;
  msg: string;
  link_id: number;
  invite: string;
  expires: string;
}

/** The links of the user, newest first. */
export interface GetInviteLinksReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "get_invite_links";
  tracker: string;
  msg: string;
  links: InviteLinkInfo[];
}

/** The reply to one request. Which other fields it has depends on the command. */
export interface RevokeInviteLinkReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "revoke_invite_link";
  tracker: string;
  msg: string;
}

/** An invitation that is valid. `inviter`: who made it, absent for an operator at the server. */
export interface FindInviteLinkReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "find_invite_link";
  tracker: string;
  msg: string;
  inviter?: string;
  expires: string;
  room_names: string[];
}

/** A link that was made. `link` is its secret. */
export interface CreateLoginLinkReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "create_login_link";
  tracker: string;
  msg: string;
  link: string;
  expires: string;
}

/** What an administrative command has returned; its fields are those of the command. */
export interface AdminReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "admin";
  tracker: string;
  msg: string;
  result: Record<string, unknown>;
}

/** The time of the server. */
export interface PingReply {
  cmd: "c_response";
  status: "ok";
  last_cmd: "ping";
  tracker: string;
  msg: string;
  at: string;
}

/** Why a request was refused; `code` is for programs. */
export interface ErrorReply {
  cmd: "c_response";
  status: "error";
  last_cmd: string;
  tracker: string;
  msg: string;
  code: string;
  retry_after?: number;
  window?: number;
  used?: number;
  allowed?: number;
  incident?: string;
}

/** A message of which there is more to say; a field is there where it says something. */
export interface SpeakPush {
  room_name: string;
  usr: string;
  msg: string;
  id: string;
  seq: number;
  at: string;
  cmd: "c_speak";
  tracker: string;
  changed?: number;
  edited?: boolean;
  deleted?: Deletion;
  reactions?: Reaction[];
  reply?: ReplyTo;
  style?: string;
  pinned?: boolean;
  guest?: boolean;
  blocked?: boolean;
  marks?: [number, number][];
}

/** A direct message. `to`: who gets it, where that is not the receiver of the push. */
export interface WhisperPush {
  usr: string;
  msg: string;
  id: string;
  seq?: number;
  at: string;
  cmd: "c_whisper";
  tracker: string;
  to?: string;
  direct?: number;
  changed?: number;
  edited?: boolean;
  deleted?: Deletion;
  reactions?: Reaction[];
  reply?: ReplyTo;
  style?: string;
  guest?: boolean;
  blocked?: boolean;
  marks?: [number, number][];
}

/** A broadcast of the operator to all users. */
export interface BroadcastPush {
  usr: string;
  msg: string;
  at: string;
  cmd: "c_broadcast";
  tracker: string;
}

/** An invitation into a room; with `cmd` `c_invite_reply`, the answer to one. */
export interface InvitedPush {
  room_name: string;
  usr: string;
  msg: string;
  at: string;
  cmd: "c_invited";
  tracker: string;
}

/** An invitation into a room; with `cmd` `c_invite_reply`, the answer to one. */
export interface InviteReplyPush {
  room_name: string;
  usr: string;
  msg: string;
  at: string;
  cmd: "c_invite_reply";
  tracker: string;
}

/** A user logged in. */
export interface LoginEvent {
  cmd: "c_event";
  tracker: string;
  type: "login";
  at: string;
  usr: string;
}

/** A user logged out, or lost the last connection. */
export interface LogoutEvent {
  cmd: "c_event";
  tracker: string;
  type: "logout";
  at: string;
  usr: string;
}

/** Several users logged in or out within a second. */
export interface PresenceEvent {
  cmd: "c_event";
  tracker: string;
  type: "presence";
  at: string;
  logins: string[];
  logouts: string[];
}

/** The first entry of a room; the creator is the first member. */
export interface RoomCreatedEvent {
  cmd: "c_event";
  tracker: string;
  type: "room_created";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  public?: boolean;
  topic?: string;
  max?: number;
  owner?: string;
  preview?: true;
  moderated?: true;
  slow?: number;
  keep_messages?: number;
  keep_days?: number;
}

/** The owner changed the settings, or the room got another owner. */
export interface RoomChangedEvent {
  cmd: "c_event";
  tracker: string;
  type: "room_changed";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  public: boolean;
  topic: string;
  max: number;
  owner: string;
  preview?: true;
  moderated?: true;
  slow?: number;
  keep_messages?: number;
  keep_days?: number;
}

/** A room was deleted with its log; `members` are those that it had. */
export interface RoomGoneEvent {
  cmd: "c_event";
  tracker: string;
  type: "room_gone";
  at: string;
  room_name: string;
  usr: string;
}

/** A user became a member. */
export interface JoinRoomEvent {
  cmd: "c_event";
  tracker: string;
  type: "join_room";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
}

/** A member left. */
export interface LeaveRoomEvent {
  cmd: "c_event";
  tracker: string;
  type: "leave_room";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
}

/** A member was kicked by `by`. */
export interface KickedEvent {
  cmd: "c_event";
  tracker: string;
  type: "kicked";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  by: string;
  reason?: string;
  banned?: true;
  until?: string;
}

/** A member was removed by `by`. */
export interface RemovedEvent {
  cmd: "c_event";
  tracker: string;
  type: "removed";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  by: string;
}

/** `by` gave a user a role, or took it: `role` is "" then. */
export interface RoleEvent {
  cmd: "c_event";
  tracker: string;
  type: "role";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  role: string;
  by: string;
}

/** `by` muted a user. */
export interface MutedEvent {
  cmd: "c_event";
  tracker: string;
  type: "muted";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  by: string;
  reason?: string;
  until?: string;
}

/** `by` ended that a user is muted. */
export interface UnmutedEvent {
  cmd: "c_event";
  tracker: string;
  type: "unmuted";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  by: string;
}

/** `by` banned a user who is no member, or all users with a name that fits a pattern. */
export interface BannedEvent {
  cmd: "c_event";
  tracker: string;
  type: "banned";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  by: string;
  reason?: string;
  until?: string;
}

/** `by` ended a ban; `usr` and the account are those of the ban. */
export interface UnbannedEvent {
  cmd: "c_event";
  tracker: string;
  type: "unbanned";
  at: string;
  room_name: string;
  usr: string;
  seq: number;
  by: string;
}

/** `by` has reported a message of `usr`; those who may answer the report are told. */
export interface ReportedEvent {
  cmd: "c_event";
  tracker: string;
  type: "reported";
  at: string;
  report_id: number;
  room_name?: string;
  usr: string;
  of: number;
  by: string;
  reason?: string;
}

/** A report was answered; who has made it is told. */
export interface ReportAnsweredEvent {
  cmd: "c_event";
  tracker: string;
  type: "report_answered";
  at: string;
  report_id: number;
  room_name?: string;
  usr: string;
  of: number;
  outcome: string;
  answer?: string;
}

/** The receiving session has ended because its user logged in from `address`. */
export interface ReplacedEvent {
  cmd: "c_event";
  tracker: string;
  type: "replaced";
  at: string;
  usr: string;
  address: string;
}

/** `usr` asks for the peer address of the receiver. */
export interface AddressRequestEvent {
  cmd: "c_event";
  tracker: string;
  type: "address_request";
  at: string;
  usr: string;
}

/** The client of `usr` accepts direct connections at `host`, `port`. */
export interface AddressGrantedEvent {
  cmd: "c_event";
  tracker: string;
  type: "address_granted";
  at: string;
  usr: string;
  host: string;
  port: number;
}

/** `usr` refuses the peer address. */
export interface AddressDeniedEvent {
  cmd: "c_event";
  tracker: string;
  type: "address_denied";
  at: string;
  usr: string;
}

/** The author gave a message another text. */
export interface EditedEvent {
  cmd: "c_event";
  tracker: string;
  type: "edited";
  at: string;
  room_name?: string;
  usr: string;
  seq: number;
  of: number;
  target_user?: string;
  msg: string;
  blocked?: true;
}

/** `by` deleted a message of `usr`, which the store fills in. */
export interface DeletedEvent {
  cmd: "c_event";
  tracker: string;
  type: "deleted";
  at: string;
  room_name?: string;
  usr: string;
  seq: number;
  of: number;
  target_user?: string;
  by: string;
  reason: string;
}

/** A user reacted to a message with an emoji, or took that back if `on` is false. */
export interface ReactedEvent {
  cmd: "c_event";
  tracker: string;
  type: "reacted";
  at: string;
  room_name?: string;
  usr: string;
  seq: number;
  of: number;
  target_user?: string;
  emoji: string;
  on: boolean;
  blocked?: true;
}

/** `usr` pinned a message. */
export interface PinnedEvent {
  cmd: "c_event";
  tracker: string;
  type: "pinned";
  at: string;
  room_name?: string;
  usr: string;
  seq: number;
  of: number;
  target_user?: string;
}

/** `usr` unpinned a message. */
export interface UnpinnedEvent {
  cmd: "c_event";
  tracker: string;
  type: "unpinned";
  at: string;
  room_name?: string;
  usr: string;
  seq: number;
  of: number;
  target_user?: string;
}

/** A user is typing in a room, or to `target_user`, who the receiver of the event writes to. */
export interface TypingEvent {
  cmd: "c_event";
  tracker: string;
  type: "typing";
  at: string;
  usr: string;
  room_name?: string;
  target_user?: string;
}

/** Another session of the receiver says that a log is read up to an entry, and no further. */
export interface MarkedReadEvent {
  cmd: "c_event";
  tracker: string;
  type: "marked_read";
  at: string;
  room_name?: string;
  target_user?: string;
  direct?: number;
  read_seq: number;
  /** @deprecated */ seq?: number;
}

/** The receiver wants to be notified of these messages; set on another session. */
export interface NotifyEvent {
  cmd: "c_event";
  tracker: string;
  type: "notify";
  at: string;
  room_name?: string;
  target_user?: string;
  direct?: number;
  level: string;
}

/** The invitation of `usr` to a room is not pending any more. */
export interface InvitationEndedEvent {
  cmd: "c_event";
  tracker: string;
  type: "invitation_ended";
  at: string;
  room_name: string;
  usr: string;
}

/** A room in a list. */
export interface RoomInfo {
  room_name: string;
  public: boolean;
  topic: string;
  owner: string;
  members: number;
  last_seq: number;
  joined: boolean;
  unread: number;
  read_seq: number;
  mentions?: number;
  notify?: string;
  preview?: boolean;
  max?: number;
  role?: string;
  muted_until?: string;
  moderated?: boolean;
  slow?: number;
  keep_messages?: number;
  keep_days?: number;
}

/** A room, for a member. `roles`: user -> role, of those in `users` who have one. */
export interface RoomDetails {
  room_name: string;
  public: boolean;
  topic: string;
  owner: string;
  max: number;
  members: number;
  last_seq: number;
  users: string[];
  users_total: number;
  preview?: boolean;
  roles?: Record<string, string>;
  role?: string;
  muted_until?: string;
  moderated?: boolean;
  slow?: number;
  keep_messages?: number;
  keep_days?: number;
}

/** A direct conversation with `usr`. `guest`: a temporary user. `ended`: it is read-only. */
export interface DirectInfo {
  id: number;
  usr: string;
  last_seq: number;
  read_seq: number;
  unread: number;
  at: string;
  mentions?: number;
  notify?: string;
  guest?: boolean;
  ended?: boolean;
}

/** A pending invitation of the user, by `usr`. */
export interface Invitation {
  room_name: string;
  usr: string;
  at: string;
}

/** A session of the user, or a device that can begin one; fields that say nothing are unset. */
export interface SessionInfo {
  id: string;
  device?: string;
  device_name?: string;
  protocol?: string;
  address?: string;
  began: string;
  last_seen: string;
  online?: boolean;
  current?: boolean;
  remembered?: boolean;
}

/** A link as it is listed. `used`: how many accounts were registered with it. */
export interface InviteLinkInfo {
  link_id: number;
  uses: number;
  used: number;
  created: string;
  expires: string;
  room_names: string[];
}

/** What happened to a room or a direct conversation since the connection was lost. */
export interface Resumption {
  room_name?: string;
  direct?: number;
  target_user?: string;
  state: string;
  reason?: string;
  log_first?: number;
  last_seq: number;
  entries: Entry[];
}

/** A text of a message, from the entry `seq` on. */
export interface Version {
  seq: number;
  at: string;
  msg: string;
}

/** A mute or a ban, by `by`; `usr` is a name, or a pattern of names. `until`: when it ends. */
export interface SanctionInfo {
  usr: string;
  by: string;
  reason: string;
  at: string;
  until?: string;
}

/** A report by `by` of a message of `usr`, with a copy of it: `msg`, sent at `sent`. */
export interface ReportInfo {
  report_id: number;
  room_name?: string;
  seq: number;
  usr: string;
  msg: string;
  sent: string;
  by: string;
  reason: string;
  rule?: string;
  at: string;
  outcome?: string;
  answer?: string;
  answered_by?: string;
  answered?: string;
}

/** Who deleted a message, and why; `reason` is "" if none was given. */
export interface Deletion {
  by: string;
  reason: string;
}

/** An emoji with which users have reacted to a message. */
export interface Reaction {
  emoji: string;
  count: number;
  users: string[];
  me: boolean;
}

/** The message that a message replies to. */
export interface ReplyTo {
  seq: number;
  usr: string;
}

export type Entry =
  | SpeakPush
  | WhisperPush
  | RoomCreatedEvent
  | RoomChangedEvent
  | JoinRoomEvent
  | LeaveRoomEvent
  | KickedEvent
  | RemovedEvent
  | RoleEvent
  | MutedEvent
  | UnmutedEvent
  | BannedEvent
  | UnbannedEvent
  | EditedEvent
  | DeletedEvent
  | ReactedEvent
  | PinnedEvent
  | UnpinnedEvent;

/** Request and reply of each command; an error is an `ErrorReply`. */
export interface Commands {
  register: { request: RegisterRequest; reply: RegisterReply };
  login: { request: LoginRequest; reply: LoginReply };
  resume: { request: ResumeRequest; reply: ResumeReply };
  hello: { request: HelloRequest; reply: HelloReply };
  logout: { request: LogoutRequest; reply: LogoutReply };
  get_sessions: { request: GetSessionsRequest; reply: GetSessionsReply };
  end_session: { request: EndSessionRequest; reply: EndSessionReply };
  end_other_sessions: { request: EndOtherSessionsRequest; reply: EndOtherSessionsReply };
  update_pwd: { request: UpdatePwdRequest; reply: UpdatePwdReply };
  delete_account: { request: DeleteAccountRequest; reply: DeleteAccountReply };
  get_profile: { request: GetProfileRequest; reply: GetProfileReply };
  set_profile: { request: SetProfileRequest; reply: SetProfileReply };
  export_account: { request: ExportAccountRequest; reply: ExportAccountReply };
  get_room_list: { request: GetRoomListRequest; reply: GetRoomListReply };
  get_user_list: { request: GetUserListRequest; reply: GetUserListReply };
  get_room_user_list: { request: GetRoomUserListRequest; reply: GetRoomUserListReply };
  create_room: { request: CreateRoomRequest; reply: CreateRoomReply };
  set_room: { request: SetRoomRequest; reply: SetRoomReply };
  delete_room: { request: DeleteRoomRequest; reply: DeleteRoomReply };
  invite: { request: InviteRequest; reply: InviteReply };
  invite_reply: { request: InviteReplyRequest; reply: InviteReplyReply };
  add_member: { request: AddMemberRequest; reply: AddMemberReply };
  remove_member: { request: RemoveMemberRequest; reply: RemoveMemberReply };
  join_room: { request: JoinRoomRequest; reply: JoinRoomReply };
  leave_room: { request: LeaveRoomRequest; reply: LeaveRoomReply };
  kick: { request: KickRequest; reply: KickReply };
  set_role: { request: SetRoleRequest; reply: SetRoleReply };
  ban: { request: BanRequest; reply: BanReply };
  unban: { request: UnbanRequest; reply: UnbanReply };
  mute: { request: MuteRequest; reply: MuteReply };
  unmute: { request: UnmuteRequest; reply: UnmuteReply };
  get_moderation: { request: GetModerationRequest; reply: GetModerationReply };
  delete_messages: { request: DeleteMessagesRequest; reply: DeleteMessagesReply };
  report: { request: ReportRequest; reply: ReportReply };
  get_reports: { request: GetReportsRequest; reply: GetReportsReply };
  answer_report: { request: AnswerReportRequest; reply: AnswerReportReply };
  speak: { request: SpeakRequest; reply: SpeakReply };
  edit: { request: EditRequest; reply: EditReply };
  delete: { request: DeleteRequest; reply: DeleteReply };
  react: { request: ReactRequest; reply: ReactReply };
  pin: { request: PinRequest; reply: PinReply };
  unpin: { request: UnpinRequest; reply: UnpinReply };
  versions: { request: VersionsRequest; reply: VersionsReply };
  history: { request: HistoryRequest; reply: HistoryReply };
  search: { request: SearchRequest; reply: SearchReply };
  typing: { request: TypingRequest; reply: TypingReply };
  mark_read: { request: MarkReadRequest; reply: MarkReadReply };
  mark_unread: { request: MarkUnreadRequest; reply: MarkUnreadReply };
  set_notify: { request: SetNotifyRequest; reply: SetNotifyReply };
  get_mentions: { request: GetMentionsRequest; reply: GetMentionsReply };
  whisper: { request: WhisperRequest; reply: WhisperReply };
  get_direct_list: { request: GetDirectListRequest; reply: GetDirectListReply };
  broadcast: { request: BroadcastRequest; reply: BroadcastReply };
  block: { request: BlockRequest; reply: BlockReply };
  unblock: { request: UnblockRequest; reply: UnblockReply };
  set_address: { request: SetAddressRequest; reply: SetAddressReply };
  get_address: { request: GetAddressRequest; reply: GetAddressReply };
  allow: { request: AllowRequest; reply: AllowReply };
  deny: { request: DenyRequest; reply: DenyReply };
  create_invite_link: { request: CreateInviteLinkRequest; reply: CreateInviteLinkReply };
  get_invite_links: { request: GetInviteLinksRequest; reply: GetInviteLinksReply };
  revoke_invite_link: { request: RevokeInviteLinkRequest; reply: RevokeInviteLinkReply };
  find_invite_link: { request: FindInviteLinkRequest; reply: FindInviteLinkReply };
  create_login_link: { request: CreateLoginLinkRequest; reply: CreateLoginLinkReply };
  admin: { request: AdminRequest; reply: AdminReply };
  ping: { request: PingRequest; reply: PingReply };
}

/** `code` of an error. Later versions add some. */
export type Code =
  | "internal"
  | "bad_request"
  | "unknown_cmd"
  | "not_logged_in"
  | "already_logged_in"
  | "not_you"
  | "bad_credentials"
  | "locked_out"
  | "banned"
  | "weak_password"
  | "password_mismatch"
  | "bad_name"
  | "name_taken"
  | "no_such_user"
  | "no_such_room"
  | "room_exists"
  | "room_full"
  | "private_room"
  | "already_in_room"
  | "not_in_room"
  | "no_such_message"
  | "not_author"
  | "too_late"
  | "deleted"
  | "too_many"
  | "not_owner"
  | "room_banned"
  | "muted"
  | "moderated"
  | "slow_mode"
  | "not_allowed"
  | "filtered"
  | "blocked"
  | "self_target"
  | "txn_conflict"
  | "not_stored"
  | "bad_session"
  | "registration_closed"
  | "invite_wanted"
  | "bad_invite"
  | "password_again"
  | "bad_key"
  | "rate_limited"
  | "over_quota"
  | "storage_full"
  | "too_long";

// Texts of errors, by the server's code. Other codes are shown with the server's own text. Each in English and in Chinese.
"use strict";
(() => {
  globalThis.GTChat.addTexts({
    // Errors, by the server's code. Other codes are shown with the server's own text.
    bad_credentials: ["Wrong username or password.", "用户名或密码错误。"],
    locked_out: ["Too many wrong passwords. Try again in {retry}.", "密码错误次数过多，请在 {retry}后重试。"],
    weak_password: ["The password must have 8 to 1,024 characters.", "密码长度应为 8 到 1024 个字符。"],
    password_mismatch: ["The passwords do not match.", "两次输入的密码不一致。"],
    name_taken: ["This name is already taken. Choose another one.", "该用户名已被使用，请换一个。"],
    bad_name: ["Use letters, digits, _ - and . only (room names: spaces too), at most 32 characters (room names: 64).", "只能使用字母、数字、_ - 和 .（房间名可含空格），最多 32 个字符（房间名 64 个）。"],
    no_such_user: ["User not found. Check the spelling.", "未找到该用户，请检查拼写。"],
    room_exists: ["A room with this name already exists. Choose another one.", "该房间名已存在，请换一个。"],
    room_full: ["The room is full. Its owner can raise the member limit.", "房间已满，房主可以提高成员上限。"],
    private_room: ["This room is private. Ask a member to invite you.", "这是私密房间，请让成员邀请你。"],
    blocked: ["This user does not accept messages from you.", "对方不接收你的消息。"],
    not_owner: ["Only the room owner can do this.", "只有房主可以执行此操作。"],
    bad_key: ["Wrong broadcast key. Ask the administrator for it.", "广播密钥错误，请向管理员询问。"],
    bad_port: ["Enter a port from 1024 to 65535.", "请输入 1024 到 65535 之间的端口。"],
    no_such_room: ["This room no longer exists.", "该房间已不存在。"],
    not_in_room: ["You or this user must join the room first.", "你或该用户需要先加入房间。"],
    already_in_room: ["This user is already a member.", "该用户已经是成员。"],
    already_logged_in: ["This user is already logged in. Choose another name, or log out there first.", "该用户已登录。请换一个用户名，或先在另一处退出登录。"],
    self_target: ["You cannot choose yourself.", "不能选择自己。"],
    not_allowed: ["This is not allowed here, or no longer possible.", "此操作不被允许，或已无法执行。"],
    too_long: ["The text is too long.", "文本过长。"],
    txn_conflict: ["This message was already sent with a different text. Write it again.", "该消息已以其他内容发送过，请重新输入。"],
    internal: ["Server error. It was logged. Try again.", "服务器错误，已记录到日志。请重试。"],
    rate_limited: ["Too many requests. Try again in {retry}.", "操作过于频繁，请在 {retry}后重试。"],
    over_quota: ["You have sent as much text as is allowed in a day. You can send again in {retry}.", "你今天发送的内容已达上限，{retry}后可再次发送。"],
    seconds: ["{count} s", "{count} 秒"],
    minutes: ["{count} min", "{count} 分钟"],
    hours: ["{count} h", "{count} 小时"],
    not_stored: ["The server cannot save data at the moment. Try again.", "服务器暂时无法保存数据，请重试。"],
    unanswered: ["The connection was lost. Try again.", "连接已断开，请重试。"],
    not_logged_in: ["You are not logged in.", "你尚未登录。"],
  });
})();

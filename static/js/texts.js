// All texts of the user interface, in English and in Chinese. {name} is replaced by a value.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const TEXTS = {
    // Login.
    tagline: ["Your own chat server", "属于你自己的聊天服务器"],
    server: ["Server", "服务器"],
    server_hint: ["Server address, for example ws://127.0.0.1:9000/", "服务器地址，例如 ws://127.0.0.1:9000/"],
    name: ["Username", "用户名"],
    password: ["Password", "密码"],
    confirm_password: ["Confirm password", "确认密码"],
    guest: ["Guest", "访客"],
    member: ["Log in", "登录"],
    register: ["Register", "注册"],
    log_in_as_guest: ["Log in as guest", "以访客身份登录"],
    login_mode: ["How to log in", "登录方式"],
    guest_hint: ["No password needed. The name is yours until you log out.", "无需密码。退出登录前，该用户名归你使用。"],
    member_hint: ["See your rooms and the messages you missed.", "查看你的房间和错过的消息。"],
    register_hint: ["Create an account. Passwords need at least 8 characters.", "创建账号，密码至少 8 个字符。"],
    show_password: ["Show password", "显示密码"],
    use_key: ["No password: use a key saved in this browser", "不设密码：使用保存在此浏览器中的密钥"],
    key_hint: ["Anyone who uses this browser can log in to this account. If the browser’s data is deleted, the account is lost.", "使用此浏览器的任何人都能登录该账号。清除浏览器数据后，账号将无法找回。"],
    log_in_with_key: ["Log in as {usr} with the saved key", "使用已保存的密钥以 {usr} 登录"],
    language: ["Language", "语言"],
    theme: ["Theme", "主题"],
    theme_system: ["System", "跟随系统"],
    theme_light: ["Light", "浅色"],
    theme_dark: ["Dark", "深色"],

    // Notifications.
    desktop_notifications: ["Desktop notifications", "桌面通知"],
    notification_sound: ["Notification sound", "通知提示音"],
    notifications_hint: ["For mentions and direct messages. You can change this in each room’s settings.", "被提及或收到私信时通知。可在房间设置中单独调整。"],
    notify_about: ["Notify me about", "通知我"],
    level_all: ["All messages", "所有消息"],
    level_mentions: ["Mentions only", "仅提及我的消息"],
    level_nothing: ["Nothing", "不通知"],
    notifications_blocked: ["Your browser blocks notifications for this page.", "浏览器已阻止此页面的通知。"],

    // Connection.
    connecting: ["Connecting…", "正在连接…"],
    waiting: ["Connection lost. Reconnecting in {seconds} s.", "连接已断开，{seconds} 秒后重新连接。"],
    unreachable: ["Cannot reach {url}. Trying again in {seconds} s.", "无法连接 {url}，{seconds} 秒后重试。"],
    reconnect_now: ["Try now", "立即重试"],
    bad_url: ["Enter a server address that starts with ws:// or wss://.", "请输入以 ws:// 或 wss:// 开头的服务器地址。"],
    over_4001: ["You were logged out: this account logged in elsewhere, or its password was changed.", "你已被登出：该账号已在别处登录，或密码已被修改。"],
    over_4002: ["You were kicked by an administrator.", "你已被管理员踢出。"],
    over_bad_session: ["Your session has expired. Log in again.", "会话已过期，请重新登录。"],
    over_other: ["The server closed the connection: {reason}", "服务器关闭了连接：{reason}"],

    // Sidebar and members.
    rooms: ["Rooms", "房间"],
    other_rooms: ["Other rooms", "其他房间"],
    direct_messages: ["Direct messages", "私信"],
    members: ["Members", "成员"],
    online: ["Online", "在线"],
    offline: ["Offline", "离线"],
    you: ["you", "你"],
    owner: ["owner", "房主"],
    private: ["private", "私密"],
    unread: ["{count} unread", "{count} 条未读"],
    mentioned: ["you were mentioned", "有人提到你"],
    members_count: ["{count} members", "{count} 名成员"],
    one_member: ["1 member", "1 名成员"],
    search_rooms: ["Search rooms", "搜索房间"],
    draft: ["draft", "草稿"],
    back: ["Back", "返回"],
    log_out: ["Log out", "退出登录"],
    confirm_log_out: ["Some messages have not been sent yet. If you log out now, they are discarded.", "有消息尚未发送。现在退出登录将丢弃这些消息。"],
    settings: ["Settings", "设置"],
    administration: ["Administration", "管理"],
    administration_hint: ["For the operators of this server.", "供本服务器的管理员使用。"],
    close: ["Close", "关闭"],
    skip: ["Skip to message box", "跳到消息输入框"],

    // Quick switcher and keyboard shortcuts.
    switcher: ["Go to a room or user", "前往房间或用户"],
    switcher_hint: ["Room or username", "房间名或用户名"],
    shortcuts: ["Keyboard shortcuts", "键盘快捷键"],
    shortcut_step: ["Previous or next conversation", "上一个或下一个会话"],
    shortcut_unread: ["Previous or next unread conversation", "上一个或下一个未读会话"],
    shortcut_focus: ["Go to the message box", "回到消息输入框"],
    shortcut_line: ["New line", "换行"],
    shortcut_recall: ["In an empty message box: repeat your last message", "输入框为空时：重新填入你的上一条消息"],
    shortcut_accept: ["Accept the suggestion", "采用建议"],
    shortcut_bold: ["Bold", "粗体"],
    shortcut_italic: ["Italic", "斜体"],
    shortcut_first: ["In the message list: go to the first message", "在消息列表中：跳到第一条消息"],
    shortcut_latest: ["In the message list: go to the latest message", "在消息列表中：跳到最新消息"],

    // Rooms.
    new_room: ["New room", "新建房间"],
    room_name: ["Room name", "房间名称"],
    topic: ["Topic", "主题"],
    is_public: ["Public: anyone can find and join the room", "公开：任何人都可以找到并加入"],
    member_limit: ["Member limit (0 for no limit)", "成员上限（0 表示不限）"],
    create: ["Create", "创建"],
    save: ["Save", "保存"],
    cancel: ["Cancel", "取消"],
    join: ["Join", "加入"],
    leave: ["Leave room", "退出房间"],
    confirm_leave: ["Leave {room}?", "退出 {room}？"],
    delete: ["Delete room", "删除房间"],
    confirm_delete: ["Delete {room} and all its messages? This cannot be undone.", "删除 {room} 及其所有消息？此操作无法撤销。"],
    confirm_kick: ["Kick {usr} from {room}?", "将 {usr} 踢出 {room}？"],
    confirm_remove: ["Remove {usr} from the members of {room}?", "将 {usr} 从 {room} 的成员中移除？"],
    invite: ["Invite user", "邀请用户"],
    invite_hint: ["The user can accept or decline. Users who are offline get the invitation when they log in.", "对方可以接受或拒绝。离线用户会在登录后收到邀请。"],
    add: ["Add member", "添加成员"],
    add_hint: ["Adds the user immediately, without an invitation.", "无需邀请，立即添加该用户。"],
    user: ["Username", "用户名"],
    invited: ["Invitation sent to {usr}.", "已向 {usr} 发送邀请。"],
    invitation: ["{usr} invited you to {room_name}", "{usr} 邀请你加入 {room_name}"],
    decline: ["Decline", "拒绝"],
    later: ["Later", "稍后"],
    room_settings: ["Room settings", "房间设置"],
    transfer: ["Transfer ownership", "转让房主"],
    transfer_hint: ["Only the new owner can transfer it back.", "转让后，只有新房主才能转回。"],
    room_empty: ["No messages yet. Say hello!", "还没有消息，打个招呼吧！"],
    room_start: ["This is the beginning of {room}.", "这里是 {room} 的开头。"],
    direct_start: ["Only you and {usr} can see these messages. They are kept only in this browser tab.", "只有你和 {usr} 能看到这些消息，且仅保存在此浏览器标签页中。"],

    // Users.
    direct_message: ["Direct message", "发私信"],
    kick: ["Kick from room", "踢出房间"],
    remove: ["Remove member", "移除成员"],
    block: ["Block", "屏蔽"],
    unblock: ["Unblock", "取消屏蔽"],
    blocked_users: ["Blocked users", "已屏蔽的用户"],
    blocked_message: ["Message from {usr} (blocked)", "来自 {usr} 的消息（已屏蔽）"],
    actions: ["Actions for {usr}", "对 {usr} 的操作"],
    address_request: ["{usr} wants to connect to you directly and asks for your address", "{usr} 想与你直接连接，请求获取你的地址"],
    allow: ["Allow", "允许"],
    deny: ["Deny", "拒绝"],
    ask_address: ["Request address", "请求地址"],
    address_asked: ["Address requested from {usr}.", "已向 {usr} 请求地址。"],
    peer_connections: ["Direct connections", "直接连接"],
    peer_connections_hint: ["Browsers cannot accept connections. If another client of yours accepts them on this computer, enter its port. Only users you allow can see it.", "浏览器无法接受连接。如果你在本机有其他客户端可接受连接，请填写其端口；只有经你允许的用户才能看到。"],
    port: ["Port", "端口"],

    // Messages.
    message_to: ["Message to {name}", "发送消息到 {name}"],
    send: ["Send", "发送"],
    emoji: ["Emoji", "表情"],
    search_emoji: ["Search emoji", "搜索表情"],
    no_results: ["No results", "没有结果"],
    group_faces: ["Smileys", "笑脸"],
    group_hands: ["Gestures and people", "手势与人物"],
    group_hearts: ["Hearts and stars", "爱心与星星"],
    group_nature: ["Animals and nature", "动物与自然"],
    group_objects: ["Objects", "物品"],
    group_symbols: ["Symbols", "符号"],
    group_results: ["Results", "结果"],
    suggestions: ["Suggestions", "建议"],
    typing_one: ["{usr} is typing", "{usr} 正在输入"],
    typing_two: ["{usr} and {other} are typing", "{usr} 和 {other} 正在输入"],
    typing_many: ["Several people are typing", "多人正在输入"],
    bold: ["bold", "粗体"],
    italic: ["italic", "斜体"],
    strikethrough: ["strikethrough", "删除线"],
    code: ["code", "代码"],
    quote: ["quote", "引用"],
    others: ["{count} others", "其他 {count} 人"],
    sending: ["Sending…", "发送中…"],
    not_sent_yet: ["Not sent yet, the page will try again: {reason}", "尚未发送，稍后将自动重试：{reason}"],
    message_too_long: ["This message has {count} characters; at most {limit} can be sent at once. Shorten it, or send it in several parts.", "此消息有 {count} 个字符，每次最多可发送 {limit} 个。请缩短，或分几次发送。"],
    characters_left: ["{count} characters left", "还可输入 {count} 个字符"],
    no_files: ["Files and pictures cannot be sent here. Send a link to them instead.", "此处无法发送文件和图片，请改为发送链接。"],
    not_sent: ["Not sent: {reason}", "未发送：{reason}"],
    send_again: ["Send again", "重新发送"],
    discard: ["Discard", "丢弃"],
    waits_for_user: ["Will be delivered when {usr} logs in", "将在 {usr} 登录后送达"],
    jump_to_latest: ["Jump to latest", "跳到最新消息"],
    one_new_below: ["1 new message", "1 条新消息"],
    one_new_above: ["1 new message: jump to it", "1 条新消息：跳转"],
    new_below: ["{count} new messages", "{count} 条新消息"],
    new_above: ["{count} new messages: jump to first", "{count} 条新消息：跳到第一条"],
    new_divider: ["New", "新消息"],
    loading: ["Loading…", "加载中…"],
    load_earlier: ["Load earlier messages", "加载更早的消息"],
    load_later: ["Load later messages", "加载更晚的消息"],
    load_failed: ["Could not load messages.", "无法加载消息。"],
    load_again: ["Try again", "重试"],
    messages: ["Messages in {name}", "{name} 中的消息"],
    today: ["Today", "今天"],
    yesterday: ["Yesterday", "昨天"],
    message: ["Message", "消息"],
    broadcast: ["Broadcast from {usr}: {msg}", "{usr} 的广播：{msg}"],
    broadcast_to_all: ["Broadcast to all users", "向所有用户广播"],
    broadcast_key: ["Broadcast key", "广播密钥"],
    broadcast_sent: ["Broadcast sent to {count} users.", "广播已发送给 {count} 位用户。"],

    // Events.
    room_created: ["{usr} created the room", "{usr} 创建了房间"],
    room_changed: ["{usr} changed the room settings", "{usr} 修改了房间设置"],
    join_room: ["{usr} joined", "{usr} 加入了房间"],
    leave_room: ["{usr} left", "{usr} 退出了房间"],
    kicked: ["{by} kicked {usr}", "{by} 将 {usr} 踢出了房间"],
    removed: ["{by} removed {usr}", "{by} 移除了 {usr}"],
    room_gone: ["Room {room_name} was deleted.", "房间 {room_name} 已被删除。"],
    added: ["You are now a member of {room_name}.", "你已成为 {room_name} 的成员。"],
    invite_reply_Y: ["{usr} joined {room_name}.", "{usr} 已加入 {room_name}。"],
    invite_reply_N: ["{usr} declined your invitation to {room_name}.", "{usr} 拒绝了加入 {room_name} 的邀请。"],
    invite_reply_L: ["{usr} will decide later about {room_name}.", "{usr} 稍后再决定是否加入 {room_name}。"],
    address_granted: ["{usr} can be reached at {host}:{port}.", "可通过 {host}:{port} 连接 {usr}。"],
    address_denied: ["{usr} declined to share an address.", "{usr} 拒绝提供地址。"],

    // Account.
    change_password: ["Change password", "修改密码"],
    old_password: ["Current password", "当前密码"],
    new_password: ["New password", "新密码"],
    password_changed: ["Password changed.", "密码已修改。"],
    registered: ["Account {usr} created.", "账号 {usr} 已创建。"],

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
  };

  GTChat.LANGUAGES = { en: "English", zh: "中文" };
  const order = Object.keys(GTChat.LANGUAGES);

  let language = 0;
  GTChat.language = () => order[language];

  // Chooses the language of a BCP 47 tag; English if there are no texts in it.
  GTChat.setLanguage = (tag) => {
    language = Math.max(0, order.indexOf(String(tag).slice(0, 2)));
    if (globalThis.document) document.documentElement.lang = order[language];
  };

  // Compares names for sorting: "room 9" comes before "room 10".
  const collator = new Intl.Collator(undefined, { numeric: true });
  GTChat.inOrder = (a, b) => collator.compare(a, b);

  // Returns a text in the chosen language. values: by the names in braces.
  GTChat.text = (key, values = {}) => {
    const text = TEXTS[key]?.[language] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };

  // Returns a time in seconds as a text.
  const duration = (seconds) => {
    if (seconds < 100) return GTChat.text("seconds", { count: Math.ceil(seconds) });
    if (seconds < 100 * 60) return GTChat.text("minutes", { count: Math.ceil(seconds / 60) });
    return GTChat.text("hours", { count: Math.ceil(seconds / 3600) });
  };

  // Returns the text for an error of a request, or for any object with a `code`.
  GTChat.reason = (error) => (TEXTS[error.code]
    ? GTChat.text(error.code, { retry: duration(error.retryAfter ?? 1) })
    : error.message || GTChat.text("unanswered"));

  GTChat.TEXTS = TEXTS;
})();

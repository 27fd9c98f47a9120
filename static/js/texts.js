// Everything that the page says, in English and in Chinese. {name} is filled in.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const TEXTS = {
    // Coming in.
    tagline: ["Your own place to talk.", "属于你自己的聊天室。"],
    server: ["Server", "服务器"],
    server_hint: ["The server's address, for example ws://127.0.0.1:9000/", "服务器地址，例如 ws://127.0.0.1:9000/"],
    name: ["Name", "用户名"],
    password: ["Password", "密码"],
    password_again: ["Password, again", "再次输入密码"],
    come_in: ["Come in", "进入"],
    guest: ["Guest", "访客"],
    member: ["Log in", "登录"],
    register: ["Register", "注册"],
    how: ["How do you come in?", "登录方式"],
    guest_hint: ["No password: the name is yours until you leave.", "无需密码：离开之前该名字归你使用。"],
    member_hint: ["Your rooms and what you missed wait for you.", "你的房间和错过的消息都在等你。"],
    register_hint: ["A name of your own, with a password of 8 characters or more.", "注册专属名字，密码至少 8 个字符。"],
    show_password: ["Show", "显示"],
    key_instead: ["No password: this browser keeps a key", "不用密码：由此浏览器保存密钥"],
    key_hint: ["Whoever uses this browser can come in by that name; without the browser it is lost.", "使用此浏览器的人都能以该名字登录；丢失浏览器数据则无法找回。"],
    with_key: ["Come in as {usr}, with this browser’s key", "用此浏览器的密钥以 {usr} 进入"],
    language: ["Language", "语言"],
    theme: ["Theme", "主题"],
    theme_system: ["Like the system", "跟随系统"],
    theme_light: ["Light", "浅色"],
    theme_dark: ["Dark", "深色"],

    notify: ["Tell me on the desktop", "显示桌面通知"],
    sound: ["Make a sound", "播放提示音"],
    alerts_hint: ["When somebody mentions me or writes in private; each room’s settings can say otherwise.", "被提及或收到私信时提醒；每个房间可单独设置。"],
    tell_me: ["Tell me about", "提醒我"],
    level_all: ["Every message", "所有消息"],
    level_mentions: ["What mentions me", "提及我的消息"],
    level_nothing: ["Nothing", "不提醒"],
    notify_refused: ["The browser does not allow notifications for this page.", "浏览器不允许此页面显示通知。"],

    // Connection.
    connecting: ["Connecting …", "正在连接……"],
    connected: ["Connected", "已连接"],
    waiting: ["Connection lost. Trying again in {seconds} s.", "连接已断开，{seconds} 秒后重试。"],
    unreachable: ["No answer from {url}. Trying again in {seconds} s.", "{url} 没有响应，{seconds} 秒后重试。"],
    try_now: ["Try now", "立即重试"],
    bad_url: ["That is no server address: ws:// or wss:// is wanted.", "服务器地址不正确：应以 ws:// 或 wss:// 开头。"],
    over_4001: ["You have logged in from somewhere else.", "你已在别处登录。"],
    over_4002: ["The operator has put you out.", "管理员已将你移出。"],
    over_bad_session: ["Your session has ended. Log in again.", "会话已结束，请重新登录。"],
    over_other: ["The server has closed the connection: {reason}", "服务器关闭了连接：{reason}"],

    // The house.
    rooms: ["Rooms", "房间"],
    other_rooms: ["Other rooms", "其他房间"],
    whispers: ["Private", "私聊"],
    people: ["People", "成员"],
    here: ["Here", "在线"],
    away: ["Away", "离线"],
    me: ["you", "你"],
    owner: ["owner", "房主"],
    is_private: ["private", "私密"],
    unread: ["{count} unread", "{count} 条未读"],
    mentioned: ["you are mentioned", "有人提到你"],
    members_count: ["{count} members", "{count} 名成员"],
    one_member: ["1 member", "1 名成员"],
    nobody: ["Nobody here", "这里没有人"],
    find_room: ["Find a room", "查找房间"],
    go: ["Go to a room or a person", "前往房间或联系人"],
    go_hint: ["Name of a room or a person", "房间或联系人的名字"],
    keys: ["Keys", "快捷键"],
    key_step: ["The room above or below", "上一个或下一个房间"],
    key_unread: ["The next one with something unread", "下一个有未读消息的房间"],
    key_box: ["To the message box", "回到输入框"],
    key_line: ["A new line", "换行"],
    key_recall: ["In an empty box: the last message again", "输入框为空时：取回上一条消息"],
    key_take: ["Take what is suggested", "采用建议"],
    key_first: ["In the messages: the first one", "在消息列表中：跳到第一条"],
    struck: ["struck out", "删除线"],
    draft: ["draft", "草稿"],
    back: ["Back", "返回"],
    log_out: ["Log out", "退出登录"],
    settings: ["Settings", "设置"],
    close: ["Close", "关闭"],
    skip: ["Skip to the message box", "跳到输入框"],

    // Rooms.
    new_room: ["New room", "新建房间"],
    room_name: ["Name of the room", "房间名称"],
    topic: ["Topic", "主题"],
    is_public: ["Everybody can find and join it", "所有人都可以找到并加入"],
    room_size: ["Most members (0: any number)", "成员上限（0 表示不限）"],
    create: ["Create", "创建"],
    save: ["Save", "保存"],
    cancel: ["Cancel", "取消"],
    join: ["Join", "加入"],
    leave: ["Leave the room", "离开房间"],
    leave_sure: ["Leave {room}?", "离开 {room}？"],
    delete: ["Delete the room", "删除房间"],
    delete_sure: ["Delete {room} with all that was said in it? This can't be undone.", "删除 {room} 及其中的全部消息？此操作无法撤销。"],
    invite: ["Invite somebody", "邀请"],
    add: ["Add somebody", "添加成员"],
    whom: ["Name of the person", "对方的名字"],
    invited: ["{usr} is invited.", "已邀请 {usr}。"],
    invitation: ["{usr} invites you to {room_name}", "{usr} 邀请你加入 {room_name}"],
    yes: ["Join", "加入"],
    no: ["No", "拒绝"],
    later: ["Later", "以后再说"],
    room_settings: ["Room settings", "房间设置"],
    hand_over: ["Hand the room over", "转交房间"],
    hand_over_hint: ["The new owner alone can give it back.", "转交后只有新房主可以还给你。"],
    invite_hint: ["Who is invited decides. Whoever is away is asked later.", "由对方决定是否加入；对方离线时会稍后收到邀请。"],
    add_hint: ["A member at once, without being asked.", "无需对方同意，立即成为成员。"],
    room_empty: ["Nothing has been said here yet. Say hello!", "这里还没有消息，打个招呼吧！"],
    room_start: ["This is where {room} begins.", "{room} 从这里开始。"],
    talk_start: ["Only you and {usr} can read this. It stays on this page alone.", "只有你和 {usr} 能看到，并且只保存在此页面。"],

    // People.
    whisper: ["Write in private", "发私信"],
    kick: ["Put out of the room", "移出房间"],
    remove: ["Take off the list of members", "从成员列表移除"],
    block: ["Block", "屏蔽"],
    unblock: ["Unblock", "取消屏蔽"],
    blocked_people: ["People you block", "已屏蔽的人"],
    blocked_message: ["A message of {usr}, whom you block", "已屏蔽 {usr} 的一条消息"],
    actions: ["Actions for {usr}", "对 {usr} 的操作"],
    address_request: ["{usr} wants to reach you directly and asks for your address", "{usr} 想直接连接你，请求获取你的地址"],
    allow: ["Allow", "允许"],
    deny: ["Deny", "拒绝"],
    ask_address: ["Ask for the address", "请求地址"],
    address_asked: ["{usr} is asked.", "已向 {usr} 发出请求。"],
    direct: ["Direct talks", "直接连接"],
    direct_hint: ["A browser can’t be called. If a client of yours listens on this computer, say on which port: others are told only if you allow it.", "浏览器无法接受连接。如果本机有客户端在监听，请填写端口；只有经你允许才会告诉他人。"],
    port: ["Port", "端口"],

    // Talking.
    say: ["Message to {place}", "发送消息到 {place}"],
    send: ["Send", "发送"],
    pictures: ["Emoji", "表情"],
    find_picture: ["Find one by its name", "按名称查找"],
    nothing_found: ["Nothing found.", "没有结果。"],
    group_faces: ["Faces", "表情"],
    group_hands: ["Hands", "手势"],
    group_hearts: ["Hearts and stars", "爱心与星星"],
    group_world: ["Animals and weather", "动物与天气"],
    group_things: ["Things", "物品"],
    group_signs: ["Signs", "符号"],
    group_found: ["Found", "结果"],
    offers: ["Suggestions", "建议"],
    typing_one: ["{usr} is typing", "{usr} 正在输入"],
    typing_two: ["{usr} and {other} are typing", "{usr} 和 {other} 正在输入"],
    typing_many: ["Several people are typing", "多人正在输入"],
    bold: ["bold", "粗体"],
    italic: ["italic", "斜体"],
    code: ["code", "代码"],
    quote: ["quote", "引用"],
    others: ["{count} others", "其他 {count} 人"],
    sending: ["sending …", "发送中……"],
    failed: ["not sent: {reason}", "未发送：{reason}"],
    again: ["Send again", "重新发送"],
    discard: ["Discard", "丢弃"],
    stored: ["waits until {usr} comes", "等待 {usr} 上线"],
    not_joined: ["You are not in this room.", "你不在此房间中。"],
    latest: ["Jump to the latest", "跳到最新消息"],
    new_below: ["{count} new messages", "{count} 条新消息"],
    new_above: ["{count} new messages: go to the first", "{count} 条新消息：跳到第一条"],
    new_line: ["New", "新消息"],
    loading: ["Loading …", "加载中……"],
    load_failed: ["That could not be loaded.", "加载失败。"],
    load_again: ["Try again", "重试"],
    messages: ["Messages in {place}", "{place} 中的消息"],
    today: ["Today", "今天"],
    yesterday: ["Yesterday", "昨天"],
    broadcast: ["{usr} to everybody: {msg}", "{usr} 对所有人说：{msg}"],
    broadcast_all: ["Speak to everybody", "广播"],
    broadcast_key: ["Broadcast key", "广播密钥"],
    broadcast_done: ["{count} people were told.", "已通知 {count} 人。"],
    message: ["Message", "消息"],

    // What happens in a room.
    room_created: ["{usr} made the room", "{usr} 创建了房间"],
    room_changed: ["{usr} changed the room’s settings", "{usr} 修改了房间设置"],
    join_room: ["{usr} joined", "{usr} 加入了房间"],
    leave_room: ["{usr} left", "{usr} 离开了房间"],
    kicked: ["{by} put {usr} out", "{by} 将 {usr} 移出了房间"],
    removed: ["{by} removed {usr}", "{by} 移除了 {usr}"],
    room_gone: ["The room {room_name} was deleted.", "房间 {room_name} 已被删除。"],
    added: ["You are now in {room_name}.", "你已加入 {room_name}。"],
    invite_reply_Y: ["{usr} has joined {room_name}.", "{usr} 已加入 {room_name}。"],
    invite_reply_N: ["{usr} does not want to join {room_name}.", "{usr} 拒绝加入 {room_name}。"],
    invite_reply_L: ["{usr} will decide about {room_name} later.", "{usr} 以后再决定是否加入 {room_name}。"],
    address_granted: ["{usr} can be reached at {host}:{port}.", "可以通过 {host}:{port} 连接 {usr}。"],
    address_denied: ["{usr} does not give the address.", "{usr} 拒绝提供地址。"],

    // Oneself.
    change_password: ["Change the password", "修改密码"],
    old_password: ["Password until now", "当前密码"],
    new_password: ["New password", "新密码"],
    password_changed: ["The password is changed.", "密码已修改。"],

    // Errors, by the server's code. What is not here is told in the server's own words.
    bad_credentials: ["The name or the password is wrong. Try again, or register.", "用户名或密码错误。请重试或注册。"],
    locked_out: ["Too many wrong passwords. Try again in {retry} s.", "密码错误次数过多，请在 {retry} 秒后重试。"],
    weak_password: ["A password has 8 to 1,024 characters.", "密码长度应为 8 到 1024 个字符。"],
    password_mismatch: ["The two passwords differ.", "两次输入的密码不一致。"],
    name_taken: ["Somebody has this name already. Choose another one.", "该名字已被使用，请换一个。"],
    bad_name: ["Names have letters, digits, _ - and . (rooms: spaces too), and are not too long.", "名字只能包含字母、数字、_ - 和 .（房间名可含空格），且不能过长。"],
    no_such_user: ["There is nobody of that name. Look at the spelling.", "没有这个用户，请检查拼写。"],
    room_exists: ["There is a room of that name already. Choose another one, or join it.", "该房间名已存在。请换一个名称，或加入该房间。"],
    room_full: ["The room is full. Its owner can make it larger.", "房间已满，房主可以提高上限。"],
    private_room: ["Somebody inside has to invite you.", "需要房间成员邀请你。"],
    blocked: ["This person does not take messages from you.", "对方不接收你的消息。"],
    not_owner: ["Only the room’s owner can do that.", "只有房主可以执行此操作。"],
    bad_key: ["The broadcast key is wrong. The operator knows it.", "广播密钥错误，请向管理员询问。"],
    bad_port: ["A port from 1024 to 65535 is wanted.", "端口应在 1024 到 65535 之间。"],
    no_such_room: ["The room is not there any more.", "该房间已不存在。"],
    not_in_room: ["You, or this person, are not in the room. Join or add first.", "你或对方不在此房间，请先加入或添加。"],
    already_in_room: ["A member already.", "已经是成员。"],
    already_logged_in: ["Somebody of that name is here already. Choose another name, or log out there first.", "该用户已登录。请换一个名字，或先在别处退出。"],
    self_target: ["That is you. Choose somebody else.", "这是你自己，请选择其他人。"],
    not_allowed: ["That is not possible here, or not any more.", "此操作不可用或已失效。"],
    too_long: ["The text is too long. Make it shorter.", "文本过长，请缩短。"],
    txn_conflict: ["This was sent once with other words. Write it anew.", "该消息已以其他内容发送过，请重新输入。"],
    internal: ["The server made a mistake; it is in its log. Try again.", "服务器出错并已记录，请重试。"],
    rate_limited: ["Too fast. Try again in {retry} s.", "操作太快，请在 {retry} 秒后重试。"],
    not_stored: ["The server can’t store anything just now. Try again.", "服务器暂时无法保存，请重试。"],
    unanswered: ["The connection was lost. Try again.", "连接已断开，请重试。"],
    not_logged_in: ["You are not logged in.", "你尚未登录。"],
    registered: ["{usr} is registered.", "{usr} 已注册。"],
  };

  GTChat.LANGUAGES = { en: "English", zh: "中文" };
  const order = Object.keys(GTChat.LANGUAGES);

  let language = 0;
  GTChat.language = () => order[language];
  GTChat.speakLanguage = (wanted) => {
    const known = order.indexOf(String(wanted).slice(0, 2));
    language = Math.max(0, known);
    if (globalThis.document) document.documentElement.lang = order[language];
  };

  // The order in which people expect names.
  const collator = new Intl.Collator(undefined, { numeric: true });
  GTChat.inOrder = (a, b) => collator.compare(a, b);

  GTChat.text = (key, values = {}) => {
    const text = TEXTS[key]?.[language] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };

  // What to tell a person of an error.
  GTChat.reason = (error) => (TEXTS[error.code]
    ? GTChat.text(error.code, { retry: Math.ceil(error.retryAfter ?? 1) })
    : error.message || GTChat.text("unanswered"));

  GTChat.TEXTS = TEXTS;
})();

// Texts of the search for messages. Each in English and in Chinese.
"use strict";
(() => {
  globalThis.GTChat.addTexts({
    search_messages: ["Search messages", "搜索消息"],
    search_here: ["Search in this room", "在此房间中搜索"],
    search_here_direct: ["Search in this conversation", "在此会话中搜索"],
    search_for: ["Search messages for “{query}”", "搜索包含“{query}”的消息"],
    search_clear: ["Clear", "清除"],
    search_results: ["Messages found", "找到的消息"],

    // Filters.
    search_filters: ["Filters", "筛选"],
    search_only_in: ["Only in {name}", "仅在 {name} 中"],
    search_everywhere: ["Search everywhere", "搜索全部会话"],
    search_from: ["From", "发送者"],
    search_by: ["From {usr}", "发送者 {usr}"],
    search_other_user: ["Another user…", "其他用户…"],
    search_date: ["Date", "日期"],
    search_today: ["Today", "今天"],
    search_last_week: ["Last 7 days", "最近 7 天"],
    search_last_month: ["Last 30 days", "最近 30 天"],
    search_since: ["From a day on…", "从某天起…"],
    search_until: ["Before a day…", "某天之前…"],
    search_link: ["Link", "链接"],

    // Help.
    search_help: ["What you can search for", "可以这样搜索"],
    search_help_words: ["messages with both words, the last one may be the beginning of a word", "同时包含这些词的消息，最后一个词可以只写开头"],
    search_help_phrase: ["exactly these words", "完全匹配这些词"],
    search_help_from: ["written by ann", "由 ann 发送"],
    search_help_in: ["in the room garden", "在房间 garden 中"],
    search_help_after: ["on that day or later", "当天及之后"],
    search_help_before: ["earlier than that day", "当天之前"],
    search_help_link: ["with a link", "包含链接"],

    // Results.
    search_running: ["Searching…", "正在搜索…"],
    search_one: ["1 message", "1 条消息"],
    search_many: ["{count} messages, newest first", "{count} 条消息，从新到旧"],
    search_newest: ["The newest {count} messages", "最新的 {count} 条消息"],
    search_in: ["in {name}", "在 {name}"],
    search_to: ["to {name}", "发给 {name}"],
    search_to_you: ["to you", "发给你"],
    search_more: ["Show more", "显示更多"],
    search_nothing_in: ["Nothing found in {name}", "在 {name} 中没有找到"],
    search_nothing: ["Nothing found", "没有找到"],
    search_nothing_yet: ["Nothing found yet", "暂未找到"],
    search_less_or_everywhere: ["Try fewer words, or search in all your rooms and direct messages.", "请减少关键词，或搜索全部房间和私信。"],
    search_less: ["Try fewer words or other ones.", "请减少或更换关键词。"],
    search_incomplete: ["This took too long. Older messages have not been looked at.", "搜索超时，更早的消息尚未检查。"],
    search_on: ["Search older messages", "继续搜索更早的消息"],
    search_waits: ["Too many searches. This one goes on in {retry}.", "搜索过于频繁，将在 {retry}后继续。"],
    search_missing: ["No search here", "无法搜索"],
    search_missing_hint: ["This server cannot search messages.", "此服务器不支持搜索消息。"],

    // Errors.
    search_no_words: ["Type a word to search for, or from: or has:link.", "请输入要搜索的词，或 from: 或 has:link。"],
    search_too_many: ["Use at most 20 words and filters.", "最多可使用 20 个词和筛选条件。"],
    search_bad_day: ["Write a day like this: 2026-01-31.", "日期请写成 2026-01-31 这样的格式。"],
    search_bad_has: ["After has: only “link” is possible.", "has: 之后只能写 link。"],
  });
})();

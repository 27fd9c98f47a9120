// The texts of the user interface: the tables of texts/, in English and in Chinese. {name} is replaced by a
// value.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const TEXTS = {};

  // Adds a table: key -> [English, Chinese].
  GTChat.addTexts = (table) => { Object.assign(TEXTS, table); };

  GTChat.LANGUAGES = { en: "English", zh: "中文" };
  const order = Object.keys(GTChat.LANGUAGES);

  let language = 0;
  GTChat.language = () => order[language];

  // Returns the tag for dates and times: the browser's, which knows the country, if it is of the chosen language.
  GTChat.locale = () => globalThis.navigator?.languages?.find((tag) => tag.split("-")[0] === order[language]) ?? order[language];

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

  // Returns a text as a list of its parts: strings, and values of any kind in the place of their names.
  GTChat.textParts = (key, values) => {
    const template = TEXTS[key]?.[language] ?? key;
    return template.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? values[part] : part));
  };

  // Returns a time in seconds as a text.
  GTChat.duration = (seconds) => {
    if (seconds < 100) return GTChat.text("seconds", { count: Math.ceil(seconds) });
    if (seconds < 100 * 60) return GTChat.text("minutes", { count: Math.ceil(seconds / 60) });
    return GTChat.text("hours", { count: Math.ceil(seconds / 3600) });
  };

  // Returns the text for an error of a request, or for any object with a `code`.
  GTChat.reason = (error) => (TEXTS[error.code]
    ? GTChat.text(error.code, { ...error, retry: GTChat.duration(error.retryAfter ?? 1) })
    : error.message || GTChat.text("unanswered"));

  GTChat.TEXTS = TEXTS;
})();

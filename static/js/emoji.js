// The common emoji, by their :name:.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // By group of the picker: "name emoji, name emoji, …".
  const TABLE = {
    faces: "smile 😄, grin 😁, joy 😂, rofl 🤣, slight_smile 🙂, blush 😊, innocent 😇, wink 😉, upside_down 🙃, "
      + "heart_eyes 😍, kissing_heart 😘, star_struck 🤩, yum 😋, stuck_out_tongue 😛, zany 🤪, hug 🤗, thinking 🤔, "
      + "zipper_mouth 🤐, raised_eyebrow 🤨, neutral 😐, expressionless 😑, no_mouth 😶, smirk 😏, unamused 😒, "
      + "roll_eyes 🙄, grimacing 😬, relieved 😌, pensive 😔, sleepy 😪, sleeping 😴, mask 😷, nerd 🤓, sunglasses 😎, "
      + "party 🥳, cowboy 🤠, confused 😕, worried 😟, open_mouth 😮, astonished 😲, flushed 😳, pleading 🥺, "
      + "fearful 😨, cold_sweat 😰, cry 😢, sob 😭, scream 😱, confounded 😖, tired 😫, yawn 🥱, triumph 😤, "
      + "angry 😠, rage 😡, exploding_head 🤯, hot 🥵, cold 🥶, dizzy 😵, shushing 🤫, melting 🫠, salute 🫡, "
      + "skull 💀, ghost 👻, robot 🤖, clown 🤡, poop 💩",
    hands: "thumbsup 👍, thumbsdown 👎, ok_hand 👌, victory ✌️, crossed_fingers 🤞, wave 👋, raised_hand ✋, "
      + "vulcan 🖖, clap 👏, raised_hands 🙌, open_hands 👐, pray 🙏, handshake 🤝, muscle 💪, point_up ☝️, "
      + "point_right 👉, point_left 👈, point_down 👇, fist 👊, writing ✍️, eyes 👀, brain 🧠, shrug 🤷, facepalm 🤦, "
      + "bow 🙇, running 🏃, dancer 💃",
    hearts: "heart ❤️, orange_heart 🧡, yellow_heart 💛, green_heart 💚, blue_heart 💙, purple_heart 💜, "
      + "broken_heart 💔, sparkling_heart 💖, hundred 💯, boom 💥, sparkles ✨, star ⭐, fire 🔥, zap ⚡, tada 🎉, "
      + "balloon 🎈, gift 🎁, trophy 🏆, medal 🏅, crown 👑, gem 💎",
    nature: "cat 🐱, dog 🐶, fox 🦊, bear 🐻, panda 🐼, frog 🐸, monkey 🐵, chicken 🐔, penguin 🐧, bee 🐝, snail 🐌, "
      + "bug 🐛, snake 🐍, turtle 🐢, octopus 🐙, whale 🐳, unicorn 🦄, rose 🌹, sunflower 🌻, seedling 🌱, tree 🌳, "
      + "cactus 🌵, leaf 🍃, sun ☀️, moon 🌙, cloud ☁️, rain 🌧️, snowflake ❄️, rainbow 🌈, ocean 🌊, earth 🌍",
    objects: "coffee ☕, tea 🍵, beer 🍺, wine 🍷, cake 🍰, cookie 🍪, pizza 🍕, burger 🍔, taco 🌮, apple 🍎, "
      + "banana 🍌, tomato 🍅, bread 🍞, soccer ⚽, dice 🎲, guitar 🎸, music 🎵, camera 📷, computer 💻, phone 📱, "
      + "email 📧, calendar 📅, memo 📝, book 📖, bulb 💡, wrench 🔧, hammer 🔨, gear ⚙️, key 🔑, lock 🔒, bell 🔔, "
      + "pushpin 📌, paperclip 📎, scissors ✂️, chart 📈, rocket 🚀, airplane ✈️, car 🚗, bike 🚲, train 🚆, house 🏠, "
      + "hourglass ⌛, alarm ⏰",
    symbols: "check ✅, x ❌, warning ⚠️, question ❓, exclamation ❗, plus ➕, minus ➖, no_entry ⛔, stop 🛑, recycle ♻️, "
      + "arrow_up ⬆️, arrow_down ⬇️, arrow_left ⬅️, arrow_right ➡️, red_circle 🔴, green_circle 🟢, yellow_circle 🟡, "
      + "speech 💬, zzz 💤, new 🆕, ok 🆗, sos 🆘",
  };
  // Other common names of the same emoji.
  const ALIASES = { "+1": "thumbsup", "-1": "thumbsdown", 100: "hundred", laughing: "joy", white_check_mark: "check" };

  GTChat.EMOJI_GROUPS = Object.fromEntries(Object.entries(TABLE).map(([group, line]) => (
    [group, line.split(", ").map((pair) => pair.split(" "))]
  )));

  const byName = new Map(Object.values(GTChat.EMOJI_GROUPS).flat());
  for (const [alias, name] of Object.entries(ALIASES)) byName.set(alias, byName.get(name));

  // Replaces each known :name: in a text by its emoji.
  GTChat.withEmoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => byName.get(name) ?? whole);

  // Returns at most `limit` pairs [name, emoji] whose name contains `part`, best first.
  GTChat.findEmoji = (part, limit = 8) => {
    const query = part.toLowerCase();
    return [...byName].filter(([name]) => name.includes(query))
      .sort(([a], [b]) => a.indexOf(query) - b.indexOf(query) || a.length - b.length)
      .slice(0, limit);
  };

  const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}[\u{FE0F}\u{1F3FB}-\u{1F3FF}]*(?:\u{200D}\p{Extended_Pictographic}\u{FE0F}?)*\s*){1,3}$/u;

  // Returns whether a text is one to three emoji and nothing else; it is shown large.
  GTChat.isOnlyEmoji = (text) => ONLY_EMOJI.test(text);
})();

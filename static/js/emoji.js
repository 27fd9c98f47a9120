// Pictures by their :name:, those that people use most.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // In groups, for the picker: "name picture, …".
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
    world: "cat 🐱, dog 🐶, fox 🦊, bear 🐻, panda 🐼, frog 🐸, monkey 🐵, chicken 🐔, penguin 🐧, bee 🐝, snail 🐌, "
      + "bug 🐛, snake 🐍, turtle 🐢, octopus 🐙, whale 🐳, unicorn 🦄, rose 🌹, sunflower 🌻, seedling 🌱, tree 🌳, "
      + "cactus 🌵, leaf 🍃, sun ☀️, moon 🌙, cloud ☁️, rain 🌧️, snowflake ❄️, rainbow 🌈, ocean 🌊, earth 🌍",
    things: "coffee ☕, tea 🍵, beer 🍺, wine 🍷, cake 🍰, cookie 🍪, pizza 🍕, burger 🍔, taco 🌮, apple 🍎, "
      + "banana 🍌, tomato 🍅, bread 🍞, soccer ⚽, dice 🎲, guitar 🎸, music 🎵, camera 📷, computer 💻, phone 📱, "
      + "email 📧, calendar 📅, memo 📝, book 📖, bulb 💡, wrench 🔧, hammer 🔨, gear ⚙️, key 🔑, lock 🔒, bell 🔔, "
      + "pushpin 📌, paperclip 📎, scissors ✂️, chart 📈, rocket 🚀, airplane ✈️, car 🚗, bike 🚲, train 🚆, house 🏠, "
      + "hourglass ⌛, alarm ⏰",
    signs: "check ✅, x ❌, warning ⚠️, question ❓, exclamation ❗, plus ➕, minus ➖, no_entry ⛔, stop 🛑, recycle ♻️, "
      + "arrow_up ⬆️, arrow_down ⬇️, arrow_left ⬅️, arrow_right ➡️, red_circle 🔴, green_circle 🟢, yellow_circle 🟡, "
      + "speech 💬, zzz 💤, new 🆕, ok 🆗, sos 🆘",
  };
  // Other names that people know.
  const OTHERS = { "+1": "thumbsup", "-1": "thumbsdown", 100: "hundred", laughing: "joy", white_check_mark: "check" };

  GTChat.EMOJI_GROUPS = Object.fromEntries(Object.entries(TABLE).map(([group, line]) => (
    [group, line.split(", ").map((pair) => pair.split(" "))]
  )));

  const byName = new Map(Object.values(GTChat.EMOJI_GROUPS).flat());
  for (const [other, name] of Object.entries(OTHERS)) byName.set(other, byName.get(name));

  // Writes pictures for the names that are known.
  GTChat.withEmoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => byName.get(name) ?? whole);

  // [name, picture] of those whose name has `part`, the best first.
  GTChat.findEmoji = (part, most = 8) => {
    const wanted = part.toLowerCase();
    return [...byName].filter(([name]) => name.includes(wanted))
      .sort(([a], [b]) => a.indexOf(wanted) - b.indexOf(wanted) || a.length - b.length)
      .slice(0, most);
  };

  const PICTURES = /^(?:\p{Extended_Pictographic}[\u{FE0F}\u{1F3FB}-\u{1F3FF}]*(?:\u{200D}\p{Extended_Pictographic}\u{FE0F}?)*\s*){1,3}$/u;

  // Whether a text is nothing but one to three pictures.
  GTChat.isPictures = (text) => PICTURES.test(text);
})();

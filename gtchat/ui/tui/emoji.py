"""The common emoji by their `:name:`, the same as on the page (static/js/emoji.js)."""

from __future__ import annotations

import re

#: "name emoji, name emoji, …".
_TABLE = (
    "smile 😄, grin 😁, joy 😂, rofl 🤣, slight_smile 🙂, blush 😊, innocent 😇, wink 😉, "
    "upside_down 🙃, heart_eyes 😍, kissing_heart 😘, star_struck 🤩, yum 😋, "
    "stuck_out_tongue 😛, zany 🤪, hug 🤗, thinking 🤔, zipper_mouth 🤐, "
    "raised_eyebrow 🤨, neutral 😐, expressionless 😑, no_mouth 😶, smirk 😏, "
    "unamused 😒, roll_eyes 🙄, grimacing 😬, relieved 😌, pensive 😔, sleepy 😪, "
    "sleeping 😴, mask 😷, nerd 🤓, sunglasses 😎, party 🥳, cowboy 🤠, confused 😕, "
    "worried 😟, open_mouth 😮, astonished 😲, flushed 😳, pleading 🥺, fearful 😨, "
    "cold_sweat 😰, cry 😢, sob 😭, scream 😱, confounded 😖, tired 😫, yawn 🥱, "
    "triumph 😤, angry 😠, rage 😡, exploding_head 🤯, hot 🥵, cold 🥶, dizzy 😵, "
    "shushing 🤫, melting 🫠, salute 🫡, skull 💀, ghost 👻, robot 🤖, clown 🤡, poop 💩, "
    "thumbsup 👍, thumbsdown 👎, ok_hand 👌, victory ✌️, crossed_fingers 🤞, wave 👋, "
    "raised_hand ✋, vulcan 🖖, clap 👏, raised_hands 🙌, open_hands 👐, pray 🙏, "
    "handshake 🤝, muscle 💪, point_up ☝️, point_right 👉, point_left 👈, "
    "point_down 👇, fist 👊, writing ✍️, eyes 👀, brain 🧠, shrug 🤷, facepalm 🤦, "
    "bow 🙇, running 🏃, dancer 💃, heart ❤️, orange_heart 🧡, yellow_heart 💛, "
    "green_heart 💚, blue_heart 💙, purple_heart 💜, broken_heart 💔, "
    "sparkling_heart 💖, hundred 💯, boom 💥, sparkles ✨, star ⭐, fire 🔥, zap ⚡, "
    "tada 🎉, balloon 🎈, gift 🎁, trophy 🏆, medal 🏅, crown 👑, gem 💎, cat 🐱, dog 🐶, "
    "fox 🦊, bear 🐻, panda 🐼, frog 🐸, monkey 🐵, chicken 🐔, penguin 🐧, bee 🐝, "
    "snail 🐌, bug 🐛, snake 🐍, turtle 🐢, octopus 🐙, whale 🐳, unicorn 🦄, rose 🌹, "
    "sunflower 🌻, seedling 🌱, tree 🌳, cactus 🌵, leaf 🍃, sun ☀️, moon 🌙, cloud ☁️, "
    "rain 🌧️, snowflake ❄️, rainbow 🌈, ocean 🌊, earth 🌍, coffee ☕, tea 🍵, beer 🍺, "
    "wine 🍷, cake 🍰, cookie 🍪, pizza 🍕, burger 🍔, taco 🌮, apple 🍎, banana 🍌, "
    "tomato 🍅, bread 🍞, soccer ⚽, dice 🎲, guitar 🎸, music 🎵, camera 📷, computer 💻, "
    "phone 📱, email 📧, calendar 📅, memo 📝, book 📖, bulb 💡, wrench 🔧, hammer 🔨, "
    "gear ⚙️, key 🔑, lock 🔒, bell 🔔, pushpin 📌, paperclip 📎, scissors ✂️, chart 📈, "
    "rocket 🚀, airplane ✈️, car 🚗, bike 🚲, train 🚆, house 🏠, hourglass ⌛, alarm ⏰, "
    "check ✅, x ❌, warning ⚠️, question ❓, exclamation ❗, plus ➕, minus ➖, "
    "no_entry ⛔, stop 🛑, recycle ♻️, arrow_up ⬆️, arrow_down ⬇️, arrow_left ⬅️, "
    "arrow_right ➡️, red_circle 🔴, green_circle 🟢, yellow_circle 🟡, speech 💬, "
    "zzz 💤, new 🆕, ok 🆗, sos 🆘"
)
#: Other common names of the same emoji.
_ALIASES = {
    "+1": "thumbsup",
    "-1": "thumbsdown",
    "100": "hundred",
    "laughing": "joy",
    "white_check_mark": "check",
}

#: Name -> emoji.
EMOJI: dict[str, str] = dict(pair.split(" ") for pair in _TABLE.split(", "))
EMOJI.update({alias: EMOJI[name] for alias, name in _ALIASES.items()})

#: A name as it is written in a message.
EMOJI_NAME = re.compile(r":([a-z0-9_+-]+):")

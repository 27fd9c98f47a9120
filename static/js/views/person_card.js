// The card of a user, which their name and avatar open anywhere: who they are, and what can be done.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Avatar, Icon, RoleIn } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const Item = ({ icon, label, danger, onClick }) => html`
    <button type="button" class=${`menu-item ${danger ? "danger" : ""}`} onClick=${onClick}><${Icon} name=${icon} /><span class="grow">${label}</span></button>`;

  // Blocks a user, or takes that back; the notice offers the opposite.
  const setBlocked = (shell, usr, blocked) => shell.attempt(async () => {
    await shell.actions.request(blocked ? "block" : "unblock", { user: usr });
    shell.notice(text(blocked ? "blocked_notice" : "unblocked_notice", { usr }), "",
      blocked ? { label: text("undo"), run: () => setBlocked(shell, usr, false) } : undefined);
  });

  const askAddress = (shell, usr) => shell.attempt(async () => {
    await shell.actions.request("get_address", { user: usr });
    shell.notice(text("address_asked", { usr }));
  });

  // popover: {anchor, usr, room: the one in which the card was opened, or null, side}.
  GTChat.POPOVERS.person = ({ shell, popover, close }) => {
    const { state } = shell;
    const { usr, room, anchor, side = "below" } = popover;
    const [profile, setProfile] = useState({}); // the reply to get_profile
    useEffect(() => { if (shell.actions.can("profile")) shell.actions.request("get_profile", { user: usr }).then(setProfile, () => {}); }, []);
    const { about, colour, last_seen: seen } = profile;
    const isMe = usr === state.me;
    const online = state.isOnline(usr);
    const blocked = state.isBlocked(usr);
    const isRoom = room?.kind === "room";
    const moderates = isRoom && !isMe && room.moderates(state.me, room.rankOf(usr));
    const isLobby = room?.name === "lobby";
    const isMember = isLobby || room?.members.has(usr);
    const acts = !moderates ? [] : [
      ["remove_user", "out", isMember && !isLobby],
      ...(!shell.actions.can("moderation") ? [] : [
        ["set_role", "shield", isMember], ["mute_user", "bell_off", isMember], ["ban_user", "ban", !isLobby], ["delete_recent", "trash", true]]),
    ].filter(([, , wanted]) => wanted);
    const latest = !isMe && room?.entries?.findLast((entry) => entry.usr === usr && GTChat.isMessage(entry) && shell.actions.rights(room, entry).report);
    // What it leads to takes the focus.
    const then = (action) => () => {
      close();
      action();
    };
    return html`
      <${GTChat.Popover} anchor=${anchor} close=${close} label=${usr} side=${side} kind="person-card">
        <div class="top"><${Avatar} name=${usr} online=${online} room=${isRoom ? room : undefined} hue=${colour} size="l" />
          <h2 class="head-text"><bdi>${usr}</bdi>${isMe && html` <span class="third plain">(${text("you")})</span>`}
            ${isRoom && html`<${RoleIn} room=${room} name=${usr} />`}</h2>
          ${about && html`<p class="about-user"><bdi>${about}</bdi></p>`}
          <ul class="facts"><li><${Icon} name=${online ? "check" : "clock"} size="s" />${online ? text("online") : seen ? text("seen_at", {
            at: new Date(seen).toLocaleString(GTChat.locale(), { dateStyle: "medium", timeStyle: "short" }) }) : text("offline")}</li>
            ${isRoom && room.members.has(usr) && html`<li><${Icon} name="users" size="s" /><span>${GTChat.textParts("member_of", { room: html`<bdi>${room.name}</bdi>` })}</span></li>`}
            ${blocked && html`<li><${Icon} name="user_blocked" size="s" />${text("blocked_user")}</li>`}</ul></div>
        ${isMe ? html`
          <div class="go"><button type="button" class="button grow" onClick=${() => shell.showDialog({ name: "settings", section: "profile" })}><${Icon} name="gear" size="s" />${text("settings")}</button>
            <button type="button" class="button" onClick=${then(() => shell.open(state.direct(usr)))}><${Icon} name="edit" size="s" />${text("own_notes")}</button></div>` : html`
          <div class="go"><button type="button" class="button primary grow" onClick=${then(() => shell.open(state.direct(usr)))}><${Icon} name="chat" size="s" />${text("message_user")}</button>
            ${shell.insert && html`<button type="button" class="button" onClick=${then(() => { shell.showPane("conversation"); shell.insert(`@${usr} `); })}><${Icon} name="at" size="s" />${text("mention")}</button>`}</div>
          ${acts.length > 0 && html`<div class="part"><h3 class="group-title">${GTChat.textParts("moderate_in", { room: html`<bdi>${room.name}</bdi>` })}</h3>
            ${acts.map(([name, icon]) => html`<${Item} key=${name} icon=${icon} label=${text(`${name}_`)} danger=${name !== "set_role"}
              onClick=${() => shell.showDialog({ name, room, usr })} />`)}</div>`}
          <div class="part"><${Item} icon="link" label=${text("ask_address")} onClick=${then(() => askAddress(shell, usr))} />
            ${latest && html`<${Item} icon="flag" label=${text("report_")} danger onClick=${() => shell.showDialog({ name: "report", room, entry: latest })} />`}
            <${Item} icon="user_blocked" label=${text(blocked ? "unblock_user" : "block_user", { usr })} danger=${!blocked}
              onClick=${then(() => setBlocked(shell, usr, !blocked))} /></div>`}
      <//>`;
  };
})();

// The page of the settings about devices and sessions: where the account is logged in, and the questions before
// a device is logged out.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Icon, Problem, Role } = GTChat.parts;
  const { DIALOGS } = GTChat;
  const text = (...details) => GTChat.text(...details);

  // Names of the protocols that are not the page's.
  const PROTOCOLS = { randomchat: "RandomChat", message_center: "Message Center", pa1: "PA1" };
  // Units of a time that has passed, with their seconds.
  const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60]];

  // Returns how long ago a time was, as a text: "8 min. ago", "yesterday".
  const ago = (at) => {
    const seconds = (Date.now() - new Date(at)) / 1000;
    const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? [];
    return unit ? new Intl.RelativeTimeFormat(GTChat.language(), { numeric: "auto", style: "short" }).format(-Math.floor(seconds / length), unit)
      : text("just_now");
  };

  // Returns a day as a text, with the year if it is another one: "3 November".
  const day = (at) => new Date(at).toLocaleDateString(GTChat.locale(), { day: "numeric", month: "long",
    year: new Date(at).getFullYear() === new Date().getFullYear() ? undefined : "numeric" });

  const nameOf = ({ name, protocol }) => name || PROTOCOLS[protocol] || text("no_device");

  const iconOf = ({ name, protocol }) => {
    if (/Android|iPhone|iPad/.test(name)) return "phone";
    return !name || protocol in PROTOCOLS || /^gtchat client/.test(name) ? "terminal" : "laptop";
  };

  // When and how a device is there.
  const presence = ({ current, online, lastSeen }) => {
    if (current) return online > 1 && text("tabs_open", { count: online });
    return online ? text("here_now") : text("last_here", { ago: ago(lastSeen) });
  };

  const Device = ({ shell, device }) => {
    const name = nameOf(device);
    const { address, began, protocol, current } = device;
    const details = [address, device.name && PROTOCOLS[protocol], text("since", { day: day(began) }), presence(device)];
    return html`
      <li class="line device"><${Icon} name=${iconOf(device)} />
        <span class="grow"><bdi class="strong">${name}</bdi>${current && html` <${Role} role="own">${text("this_device")}<//>`}
          <span class="small third block">${details.filter(Boolean).join(" · ")}</span></span>
        ${!current && html`<button type="button" class="button small" aria-label=${text("log_out_device", { name })}
          onClick=${() => shell.showDialog({ name: "end_device", device })}>${text("log_out")}</button>`}</li>`;
  };

  GTChat.DeviceList = ({ shell }) => {
    const [sessions, setSessions] = useState(null);
    const [error, setError] = useState(null);
    useEffect(() => {
      shell.actions.request("get_sessions").then((reply) => setSessions(reply.sessions), setError);
    }, []);
    return html`
      <p class="second">${text("devices_hint")}</p>
      ${!sessions && !error && html`<p class="hint" role="status">${text("loading")}</p>`}
      <${Problem} error=${error} />
      ${sessions && html`
        <ul class="card">${GTChat.devices.list(sessions).map((device) => html`<${Device} key=${device.key} shell=${shell} device=${device} />`)}</ul>`}
      ${shell.actions.can("login_link") && html`<div><button type="button" class="button"
        onClick=${() => shell.showDialog({ name: "phone" })}><${Icon} name="phone" size="s" />${text("log_in_on_phone")}</button></div>`}
      ${sessions?.length > 1 && html`<div><button type="button" class="button danger-text"
        onClick=${() => shell.showDialog({ name: "end_others" })}>${text("log_out_others")}</button></div>`}`;
  };

  // Milliseconds for which a link can be opened; the server ends it.
  const LINK_MS = 120_000;
  const back = (shell) => () => shell.showDialog({ name: "settings", section: "devices" });

  DIALOGS.end_device = ({ shell, dialog: { device } }) => {
    const end = async () => {
      for (const id of device.ids) await shell.actions.request("end_session", { id });
    };
    return html`
      <${GTChat.Question} title=${text("log_out_device_question", { name: nameOf(device) })} action=${text("log_out")} danger run=${end} close=${back(shell)}>
        <p class="second">${text("confirm_log_out_device")}</p><//>`;
  };

  DIALOGS.end_others = ({ shell }) => html`
    <${GTChat.Question} title=${text("log_out_others_question")} action=${text("log_out_others")} danger close=${back(shell)}
      run=${() => shell.actions.request("end_other_sessions")}>
      <p class="second">${text("confirm_log_out_others")}</p><//>`;

  // A QR code that logs the user in on another device. When it has ended, another one is asked for.
  DIALOGS.phone = ({ shell }) => {
    const [link, setLink] = useState(null);
    const [error, setError] = useState(null);
    const ask = () => {
      setLink(null);
      setError(null);
      shell.actions.request("create_login_link").then(setLink, setError);
    };
    useEffect(ask, []);
    useEffect(() => {
      if (!link) return undefined;
      const timer = setTimeout(() => setLink({ ended: true }), LINK_MS);
      return () => clearTimeout(timer);
    }, [link]);
    return html`
      <${GTChat.Dialog} title=${text("log_in_on_phone")} onClose=${back(shell)} size="small">
        <div class="body">
          <p class="second">${text("phone_hint")}</p>
          <${Problem} error=${error} />
          ${link?.ended && html`<p role="status">${text("phone_ended")}</p>`}
          ${link?.link && html`<${GTChat.SharedLink} shell=${shell} url=${GTChat.address.loginUrl(link.link)} label=${text("login_link")} />`}</div>
        <footer>${(link?.ended || error) && html`<button type="button" class="button primary" onClick=${ask}>${text("new_code")}</button>`}
          <button type="button" class="button" onClick=${back(shell)}>${text("close")}</button></footer><//>`;
  };
})();

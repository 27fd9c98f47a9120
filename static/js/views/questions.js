// The cards of the sidebar that ask the user something, until it is answered: invitations, and requests for
// the user's address.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Avatar, Problem, Rich } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // A question of the user `usr`. question: what it says; answers: [text key, function that returns a promise], the first one is the
  // main answer, the last of three is for later. Errors are shown below.
  const Question = ({ usr, question, answers, children }) => {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState(null);
    const answer = async (action) => {
      setBusy(true);
      setError(null);
      try {
        await action();
      } catch (refused) {
        setError(refused);
        setBusy(false);
      }
    };
    const kinds = ["primary", "", "ghost"];
    return html`
      <li class="invitation"><div class="who"><${Avatar} name=${usr} /><p class="small grow" dir="auto">${question}</p></div>${children}
        <div class="row">${answers.map(([key, action], index) => html`
          <button key=${key} type="button" class=${`button small ${kinds[index]}`} disabled=${busy} onClick=${() => answer(action)}>${text(key)}</button>`)}</div>
        <${Problem} error=${error} /></li>`;
  };

  const Invitation = ({ shell, invitation }) => {
    const answer = (reply) => async () => {
      const room = await shell.actions.answerInvitation(invitation, reply);
      if (room) shell.open(room);
    };
    return html`<${Question} usr=${invitation.usr} question=${html`<${Rich} of="invitation" values=${invitation} />`}
      answers=${[["join", answer("Y")], ["decline", answer("N")], ["later", answer("L")]]} />`;
  };

  // A request for the user's address. The server knows the host; the port has to be entered.
  const AddressRequest = ({ shell, usr }) => {
    const { state, actions } = shell;
    const [port, setPort] = useState(state.listenPort || "");
    const allow = async () => {
      if (!state.listenPort || Number(port) !== state.listenPort) await actions.setListenPort(Number(port));
      await actions.answerAddressRequest(usr, "allow");
    };
    return html`
      <${Question} usr=${usr} question=${html`<${Rich} of="address_request" values=${{ usr }} />`}
        answers=${[["allow", allow], ["deny", () => actions.answerAddressRequest(usr, "deny")]]}>
        <label class="field"><span class="small">${text("port")}</span><input class="input" type="number" min="1024" max="65535" value=${port}
          onInput=${(event) => setPort(event.target.value)} /></label><//>`;
  };

  // title: the text key of the heading; items: the cards.
  const Group = ({ title, items }) => items.length > 0 && html`
    <div class="heading"><h2 class="group-title" id=${`${title}-title`}>${text(title)}</h2></div>
    <ul aria-labelledby=${`${title}-title`}>${items}</ul>`;

  GTChat.Questions = ({ shell }) => {
    const { invitations, addressRequests } = shell.state;
    return html`
      <${Group} title="invitations" items=${invitations.map((invitation) => html`
        <${Invitation} key=${`${invitation.room_name} ${invitation.usr}`} shell=${shell} invitation=${invitation} />`)} />
      <${Group} title="address_requests" items=${addressRequests.map((usr) => html`
        <${AddressRequest} key=${usr} shell=${shell} usr=${usr} />`)} />`;
  };
})();

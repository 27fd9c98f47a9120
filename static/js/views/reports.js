// Reports of messages: the dialog of the user who reports one, and the list of those who answer.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { Problem } = GTChat.parts;
  const { Question, DIALOGS } = GTChat;
  const text = (...details) => GTChat.text(...details);

  // Characters of a message that a question shows.
  const QUOTED = 200;

  const quoted = (msg) => (msg.length > QUOTED ? `${msg.slice(0, QUOTED)}…` : msg);
  const when = (at) => new Date(at).toLocaleString(GTChat.locale(), { dateStyle: "medium", timeStyle: "short" });

  // The name that stands for the word filter, which no user has.
  const FILTER = "word filter";

  // Who has reported a message, and why. Operators are told the rule of the word filter.
  const source = ({ by, rule, reason, at }) => {
    const time = when(at);
    return by === FILTER ? [text("flagged_by_filter", { time }), rule && text("filter_rule", { rule })] : [text("reported_by", { usr: by, time }), reason];
  };

  // dialog: {room: the conversation, entry: the message}.
  GTChat.ReportMessage = ({ shell, close, dialog: { room, entry } }) => {
    const report = async ({ reason }) => {
      const { dup } = await shell.actions.request("report", { ...room.place, seq: entry.seq, reason: reason.trim() });
      shell.notice(text(dup ? "reported_before" : "report_sent"));
    };
    return html`
      <${Question} title=${text("report_question", entry)} action=${text("report")} danger close=${close} run=${report}
        fields=${{ reason: { optional: true, maxlength: 500 } }}>
        <p class="card report-text" dir="auto">${quoted(GTChat.plainText(entry.msg))}</p>
        <p class="second">${text(room.kind === "room" ? "report_hint" : "report_direct_hint")}</p><//>`;
  };

  const Report = ({ report, onAnswer, onShow }) => {
    const { report_id: id, room_name: room, usr, msg, sent, outcome, answer, answered_by: answeredBy } = report;
    const [who, why] = source(report);
    return html`
      <li class="line report"><div class="grow">
        <p class="small third">${[text("report_number", { id }), room ?? text("direct_message"), when(sent)].join(" · ")}</p>
        <p class="report-text" dir="auto"><bdi class="strong">${usr}</bdi>: ${msg}</p>
        <p class="small second" dir="auto">${who}${why && html`: <bdi>${why}</bdi>`}</p>
        ${outcome && html`<p class="small second" dir="auto">${text(`outcome_${outcome}`, { usr: answeredBy })}${answer && html`: <bdi>${answer}</bdi>`}</p>`}
        <div class="row">
          ${!outcome && ["accepted", "dismissed"].map((each) => html`
            <button key=${each} type="button" class="button small" aria-label=${text(`${each}_named`, { id })} onClick=${() => onAnswer(report, each)}>${text(`answer_${each}`)}</button>`)}
          ${onShow && html`<button type="button" class="button small" aria-label=${text("show_message_named", { id })} onClick=${onShow}>${text("show_message")}</button>`}
        </div></div></li>`;
  };

  // The reports of a room, or all for an operator. back: the dialog to which an answer leads back.
  GTChat.Reports = ({ shell, room, back }) => {
    const { actions } = shell;
    const [found, setFound] = useState(null); // {reports, next}
    const [error, setError] = useState(null);
    const asked = useRef(0);
    const load = async (before) => { // of two requests at once the last one counts
      const number = ++asked.current;
      try {
        const page = await actions.request("get_reports", { room_name: room?.name, before });
        if (number !== asked.current) return;
        setFound({ reports: [...(before ? found.reports : []), ...page.reports], next: page.next });
      } catch (refused) {
        if (number === asked.current) setError(refused);
      }
    };
    useEffect(() => { load(); }, []);
    const answer = (report, outcome) => shell.showDialog({ name: "answer_report", report, outcome, back });
    const show = ({ seq }) => () => {
      shell.showDialog(null);
      shell.open(room);
      actions.show(room, seq);
    };
    return html`
      <${Problem} error=${error} />
      ${!found && !error && html`<p class="hint" role="status">${text("loading")}</p>`}
      ${found && (found.reports.length === 0 ? html`<p class="second" role="status">${text("no_reports")}</p>` : html`
        <ul class="card" aria-label=${text("reports")}>${found.reports.map((report) => html`
          <${Report} key=${report.report_id} report=${report} onAnswer=${answer} onShow=${room && show(report)} />`)}</ul>`)}
      ${found?.next && html`<div><button type="button" class="button" onClick=${() => load(found.next)}>${text("op_more")}</button></div>`}`;
  };

  GTChat.RoomReports = ({ shell, close, dialog }) => html`
    <${GTChat.Dialog} title=${text("reports_of", { room: dialog.room.name })} onClose=${close}>
      <div class="body"><${GTChat.Reports} shell=${shell} room=${dialog.room} back=${dialog} /></div><//>`;

  // dialog: {report, outcome, back: the dialog that it leads back to}.
  DIALOGS.answer_report = ({ shell, dialog: { report, outcome, back } }) => html`
    <${Question} title=${text(`${outcome}_named`, { id: report.report_id })} action=${text(`answer_${outcome}`)} close=${() => shell.showDialog(back)}
      fields=${{ answer: { label: "answer_text", optional: true, maxlength: 500, hint: report.by === FILTER ? "answer_filter_hint" : "answer_hint" } }}
      run=${({ answer }) => shell.actions.request("answer_report", { report_id: report.report_id, outcome, answer: answer.trim() })}>
      <p class="card report-text" dir="auto"><bdi class="strong">${report.usr}</bdi>: ${quoted(report.msg)}</p><//>`;
})();

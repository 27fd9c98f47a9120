// The panel of the search for messages: the field, its filters, and what was found. The search itself is search.js.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef } = globalThis.htmPreact;
  const { Empty, Icon, IconButton, Note } = GTChat.parts;
  const { searchQuery, POPOVERS } = GTChat;
  const text = (...details) => GTChat.text(...details);

  // Authors to choose from, and days before today.
  const MAX_AUTHORS = 8;
  const DAYS = { today: 0, last_week: 7, last_month: 30 };
  // Errors after which the same search may succeed.
  const PASSING = new Set(["unanswered", "internal", "not_stored"]);
  // Filters that the help lists, with an example of each.
  const EXAMPLES = {
    words: "green tea", phrase: "\"green tea\"", from: "from:ann", in: "in:garden", after: "after:2026-01-31", before: "before:2026-01-31", link: "has:link" };

  // Sets the field to a query that is to be completed, with the part from `start` selected.
  const complete = (search, query, start = query.length) => {
    search.write(query);
    requestAnimationFrame(() => {
      const field = document.querySelector(".panel.search input");
      field?.focus();
      field?.setSelectionRange(start, query.length);
    });
  };

  POPOVERS.search_from = ({ shell, popover, close }) => {
    const { state, actions: { search } } = shell;
    const spoken = (state.current?.entries ?? []).filter(GTChat.isMessage).map(({ usr }) => usr).reverse();
    const authors = [...new Set([state.me, ...spoken, ...state.current?.members ?? []])].slice(0, MAX_AUTHORS);
    return html`
      <${GTChat.Menu} anchor=${popover.anchor} close=${close} label=${text("search_from")} items=${[
        ...authors.map((usr) => ({ icon: "user", label: usr, run: () => search.refine(searchQuery.add(search.query, "from", usr)) })), null,
        { icon: "search", label: text("search_other_user"), run: () => complete(search, `${search.query} from:`.trim()) }]} />`;
  };

  POPOVERS.search_date = ({ shell, popover, close }) => {
    const { search } = shell.actions;
    const from = (ago) => searchQuery.add(search.query, "after", searchQuery.dayBefore(ago));
    const begin = (filter) => {
      const day = searchQuery.dayBefore(0);
      const query = searchQuery.add(search.query, filter, day);
      complete(search, query, query.length - day.length);
    };
    return html`
      <${GTChat.Menu} anchor=${popover.anchor} close=${close} label=${text("search_date")} items=${[
        ...Object.entries(DAYS).map(([key, ago]) => ({ icon: "clock", label: text(`search_${key}`), run: () => search.refine(from(ago)) })), null,
        { icon: "search", label: text("search_since"), run: () => begin("after") },
        { icon: "search", label: text("search_until"), run: () => begin("before") }]} />`;
  };

  // A filter: chosen, a click takes it away; otherwise a click sets it. menu: whether that opens a menu.
  const Chip = ({ icon, label, name, chosen, menu, onClick }) => html`
    <button type="button" class=${`chip ${chosen ? "chosen" : ""}`} aria-label=${label} aria-pressed=${chosen ? "true" : "false"}
      aria-haspopup=${menu && !chosen ? "menu" : undefined} onClick=${onClick}>
      ${icon && html`<${Icon} name=${icon} size="s" />`}<bdi class="cut">${name}</bdi>${chosen && html`<${Icon} name="close" size="s" />`}</button>`;

  const Filters = ({ shell, search, scope, place }) => {
    const { query } = search;
    const value = (...filters) => filters.flatMap((filter) => searchQuery.values(query, filter)).join(", ");
    const [author, day, link] = [value("from"), value("after", "before"), value("has")];
    const drop = (...filters) => search.refine(searchQuery.without(query, ...filters));
    const open = (name) => (event) => shell.showPopover({ name, anchor: event.currentTarget });
    const room = scope ?? place;
    return html`
      <div class="filters" role="group" aria-label=${text("search_filters")}>
        ${room && html`<${Chip} icon=${room.kind === "direct" ? "user" : room.public ? "hash" : "lock"} name=${room.name}
          label=${text("search_only_in", { name: room.name })} chosen=${Boolean(scope)} onClick=${() => search.refine(query, scope ? null : room)} />`}
        <${Chip} name=${author || text("search_from")} label=${author ? text("search_by", { usr: author }) : undefined} chosen=${author !== ""} menu
          onClick=${author ? () => drop("from") : open("search_from")} />
        <${Chip} name=${day || text("search_date")} label=${day ? `${text("search_date")} ${day}` : undefined} chosen=${day !== ""} menu
          onClick=${day ? () => drop("after", "before") : open("search_date")} />
        <${Chip} name=${text("search_link")} chosen=${link !== ""}
          onClick=${link ? () => drop("has") : () => search.refine(searchQuery.add(query, "has", "link"))} /></div>`;
  };

  const Help = ({ shell }) => html`
    <section class="search-help"><${GTChat.panelHeading(shell)} class="group-title">${text("search_help")}<//>
      <dl>${Object.entries(EXAMPLES).map(([key, example]) => html`
        <div key=${key}><dt><kbd>${example}</kbd></dt><dd>${text(`search_help_${key}`)}</dd></div>`)}</dl></section>`;

  const NothingFound = ({ shell, search }) => {
    const { scope } = search.searched;
    return html`
      <${Empty} icon="search" title=${nothingText(scope)} heading=${GTChat.panelHeading(shell)}
        actions=${scope && html`<button type="button" class="button" onClick=${() => search.refine(search.searched.query, null)}>${text("search_everywhere")}</button>`}>
        ${text(scope ? "search_less_or_everywhere" : "search_less")}<//>
      <p class="search-examples hint" aria-hidden="true"><kbd>${EXAMPLES.from}</kbd> <kbd>${EXAMPLES.before}</kbd> <kbd>${EXAMPLES.phrase}</kbd></p>`;
  };

  const nothingText = (scope) => (scope ? text("search_nothing_in", { name: scope.name }) : text("search_nothing"));

  // Returns what is said of the result, which screen readers read out.
  const statusText = ({ loading, searched, problem, found, next }) => {
    if (loading === "first") return text("search_running");
    if (!searched || (problem && !found.length)) return "";
    if (!found.length) return next ? text("search_nothing_yet") : nothingText(searched.scope);
    if (next) return text("search_newest", { count: found.length });
    return found.length === 1 ? text("search_one") : text("search_many", { count: found.length });
  };

  // Returns where a message was written.
  const originOf = (state, { room_name: room, usr, to }) => {
    const [key, name] = room !== undefined ? ["search_in", room] : usr === state.me && to !== state.me ? ["search_to", to] : ["search_to_you", ""];
    return GTChat.textParts(key, { name: html`<bdi>${name}</bdi>` });
  };

  // Texts by their messages: parsing is expensive.
  const excerpts = new WeakMap();

  const words = (state, entry) => {
    if (state.isBlocked(entry.usr)) return text("blocked_message");
    if (!excerpts.has(entry)) excerpts.set(entry, GTChat.excerpt(entry.msg, entry.marks));
    return excerpts.get(entry).map((piece) => (piece.marked ? html`<mark>${piece.marked}</mark>` : piece));
  };

  // Shows a message in its conversation, which may not be known to the page yet.
  const show = (shell, entry) => shell.attempt(async () => {
    const { actions, state } = shell;
    actions.search.opened = entry.id;
    shell.openMessage(state.conversation(entry) ?? await actions.findDirect(entry.direct), entry.seq);
  });

  const Results = ({ shell, search }) => {
    const { state } = shell;
    const { found, searched, opened } = search;
    return html`
      <ul class="hits" aria-label=${text("search_results")}>${found.map((entry) => html`
        <${GTChat.Hit} key=${entry.id} room=${state.conversation(entry)} entry=${entry} opened=${entry.id === opened}
          origin=${searched.scope ? null : originOf(state, entry)} onOpen=${() => show(shell, entry)}>${words(state, entry)}<//>`)}</ul>`;
  };

  // What stands below the results: why there are no more, or how to get them.
  const Rest = ({ search, onMore }) => {
    const { problem, loading, next, incomplete } = search;
    const waits = problem?.code === "rate_limited";
    return html`
      ${problem && html`<${Note} kind=${waits ? "warn" : "danger"} role="alert">${waits ? text("search_waits", { retry: GTChat.duration(problem.retryAfter ?? 1) }) : GTChat.reason(problem)}<//>`}
      ${PASSING.has(problem?.code) && html`<button type="button" class="button full" onClick=${onMore}>${text("load_again")}</button>`}
      ${incomplete && !loading && html`<${Note} kind="warn" icon="clock">${text("search_incomplete")}<//>`}
      ${next && !problem && html`<button type="button" class="button full" aria-disabled=${loading ? "true" : undefined} onClick=${onMore}>
        ${text(loading ? "search_running" : incomplete ? "search_on" : "search_more")}</button>`}`;
  };

  const Search = ({ shell, room }) => {
    const { actions, connection } = shell;
    const { search } = actions;
    // Before the first search it is about the open conversation.
    if (room && !search.searched && search.scope !== null) search.scope = room;
    const { scope } = search;
    const [field, box] = [useRef(null), useRef(null)];
    const moreAt = useRef(0); // the number of messages before more were asked for; 0: they were not
    const { found, searched, problem, loading } = search;
    useLayoutEffect(() => {
      if (!search.wantsFocus) return;
      search.wantsFocus = false;
      field.current?.focus();
      field.current?.select();
    });
    useLayoutEffect(() => { if (box.current) box.current.scrollTop = search.scrollTop; }, [search]);
    // The button for more goes with the last page: the focus goes on to what came.
    useEffect(() => {
      if (moreAt.current && found.length > moreAt.current) box.current.querySelectorAll(".hit")[moreAt.current]?.focus();
      if (!loading) moreAt.current = 0;
    }, [found.length, loading]);
    const loadMore = () => {
      moreAt.current = found.length;
      search.loadMore();
    };
    const submit = (event) => {
      event.preventDefault();
      search.start();
      box.current.scrollTop = 0;
    };
    const clear = () => {
      search.write("");
      field.current.focus();
    };
    // The arrow keys go from the field through the list.
    const onKeyDown = (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by || GTChat.isComposing(event)) return;
      const stops = [field.current, ...box.current.querySelectorAll(".hit")];
      const index = stops.indexOf(document.activeElement);
      if (index < 0 || !stops[index + by]) return;
      event.preventDefault();
      stops[index + by].focus();
    };
    if (connection.hello.features && !actions.can("search")) {
      return html`<${GTChat.PanelFrame} shell=${shell} title=${text("search")} kind="search">
        <${Empty} icon="search" title=${text("search_missing")} heading=${GTChat.panelHeading(shell)}>${text("search_missing_hint")}<//><//>`;
    }
    const status = statusText(search);
    const nothing = searched && !found.length && !loading && !problem && !search.next;
    return html`
      <${GTChat.PanelFrame} shell=${shell} title=${text("search")} kind="search">
        <form class="find" role="search" onSubmit=${submit} onKeyDown=${onKeyDown}>
          <span class="input-box"><${Icon} name="search" size="s" />
            <input type="text" role="searchbox" class="input" name="search" aria-label=${text("search_messages")} placeholder=${text("search_messages")} value=${search.query}
              ref=${field} autocomplete="off" enterkeyhint="search" onInput=${(event) => search.write(event.target.value)} />
            ${search.query && html`<${IconButton} icon="close" size="s" kind="end" label=${text("search_clear")} onClick=${clear} />`}</span>
          <${Filters} shell=${shell} search=${search} scope=${scope} place=${room} />
        </form>
        <div class="scroll" ref=${box} onScroll=${() => { search.scrollTop = box.current.scrollTop; }} onKeyDown=${onKeyDown}>
          <p class=${nothing ? "visually-hidden" : "group-title"} role="status">${status}</p>
          ${!searched && html`<${Help} shell=${shell} />`}
          ${nothing && html`<${NothingFound} shell=${shell} search=${search} />`}
          ${found.length > 0 && html`<${Results} shell=${shell} search=${search} />`}
          <${Rest} search=${search} onMore=${loadMore} />
        </div>
      <//>`;
  };
  GTChat.PANELS.search = Search;
})();

// The board, live. Immediate danger interrupts; everything else is counted, and shown when somebody asks for it. Without
// this script every page works by links and forms.

const live = document.getElementById("live");
if (live) begin();

function begin() {
  const $ = (id) => document.getElementById(id);
  const named = (attribute, value, within = document) => within.querySelector(`[${attribute}="${CSS.escape(value)}"]`);
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const state = $("live-state"), refresh = $("live-refresh"), pause = $("live-pause"), sound = $("live-sound");
  const card = $("card"), form = document.querySelector("form[data-matter]"), part = card ?? $("lists");
  const fresh = new Map(); // what changed since it was shown: matter, and whether it stands on this page
  let after = live.dataset.after, shownAt = performance.now(), paused = false, showing = false;

  // ---- The stream: taken up again at the number heard last, however it ended
  const SILENT = 25_000, AWAY = 3_000, LONGEST = 10_000;
  let news = "", source, heardAt = shownAt, attempts = 0, lost = false, opening;

  function open() {
    source?.close();
    source = new EventSource(`/board/stream?after=${encodeURIComponent(after)}`);
    source.onopen = () => { attempts = 0; heard(); };
    source.addEventListener("beat", heard);
    source.addEventListener("change", (event) => { heard(); after = event.lastEventId; changed(JSON.parse(event.data)); });
    source.addEventListener("epoch", (event) => { heard(); after = event.lastEventId; fresh.set("", false); count(); danger(); });
    source.addEventListener("goodbye", again);
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) again(); };
  }

  function again() {
    source.close();
    clearTimeout(opening);
    opening = setTimeout(async () => {
      try {
        const answer = await fetch("/board/danger", { redirect: "manual" });
        if (answer.type === "opaqueredirect" || answer.status === 401) return location.assign("/locked"); // or to sign in
      } catch { /* the board is away; the stream says when it is back */ }
      open();
    }, Math.min(LONGEST, 500 * 2 ** attempts++) * (0.75 + Math.random() / 2));
  }

  function heard() {
    heardAt = performance.now();
    if (lost) { lost = false; put($("live-count"), "Connected again."); danger(); count(); }
    tell();
  }

  function tell() {
    if (parked) return;
    const silent = performance.now() - heardAt;
    if (!lost && (silent > SILENT || (silent > AWAY && source.readyState !== EventSource.OPEN))) {
      lost = true;
      put($("live-count"), "Connection lost.");
      if (silent > SILENT) again();
    }
    live.classList.toggle("live--lost", lost);
    const age = performance.now() - shownAt, shown = age < 60_000 ? "just now" : `${span(age)} ago`;
    if (lost) put(state, `Connection lost. What you see is ${span(age)} old. Trying again.`);
    else if (!refresh && news) put(state, news); // nothing here is shown again, so that nothing typed is lost
    else put(state, `${paused ? "Paused: only immediate danger interrupts" : "Live"}. Shown ${shown}.`);
  }

  function span(ms) {
    const n = Math.floor(ms / 60_000);
    const parts = [[Math.floor(n / 1440), "day"], [Math.floor(n / 60) % 24, "hour"], [n % 60, "minute"]].filter(([many]) => many);
    return parts.slice(0, 2).map(([many, unit]) => `${many} ${unit}${many === 1 ? "" : "s"}`).join(" ") || "less than a minute";
  }

  // ---- Of all the tabs that nobody looks at one goes on listening: a browser has six connections for all of them
  let parked = false, parking, waiting, release;

  function park() {
    if (!navigator.locks) return;
    waiting = new AbortController();
    parking = setTimeout(() => { parked = true; source.close(); }, 1_000);
    navigator.locks.request("board-unseen", { signal: waiting.signal }, () => {
      clearTimeout(parking);
      if (parked) unpark();
      return new Promise((done) => { release = done; });
    }).catch(() => { /* somebody looks at it again */ });
  }

  function unpark() {
    parked = false;
    heardAt = performance.now();
    open();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return park();
    clearTimeout(parking);
    waiting?.abort();
    release?.();
    if (parked) unpark();
  });

  // ---- Changes are counted, and nothing that somebody reads is moved
  function changed({ matter_id: id, version, interrupts }) {
    const shown = named("data-matter", id);
    if (Number(shown?.dataset.version ?? 0) >= version) return; // it was changed by what this page did itself
    fresh.set(id, !!shown);
    count();
    if (interrupts) warn(id);
    if (interrupts || known.has(id) || sounded.has(id)) danger();
  }

  function count() {
    if (paused) return;
    const here = [...fresh.values()].filter(Boolean).length, others = fresh.size - here;
    const said = [others && `${others} new`, here && `${here} changed`].filter(Boolean).join(", ");
    const opened = card ?? form, changed = opened && fresh.has(opened.dataset.matter);
    if (refresh) put(refresh, changed ? "Changed since you opened it: show" : said ? `${said}: show` : "Refresh");
    refresh?.classList.toggle("live__button--new", !!said);
    news = changed ? "This has changed since you opened it." : said ? `${said} on the board.` : "";
    if (news && !lost) put($("live-count"), news);
    tell();
  }

  refresh?.addEventListener("click", async (event) => {
    if (!part || event.ctrlKey || event.metaKey || event.shiftKey) return; // a link like any other
    event.preventDefault();
    if (showing) return;
    showing = true;
    try {
      const answer = await fetch(address(), { redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      put($("live-count"), "This could not be shown now.");
      if (!lost) location.assign(refresh.href);
    } finally {
      showing = false;
    }
  });

  function address() {
    const url = new URL(location.href);
    url.hash = "";
    if (card) url.search = new URLSearchParams({ seen: card.dataset.seen });
    return url;
  }

  function show(page) {
    const next = page.getElementById(part.id), focused = document.activeElement, inside = part.contains(focused);
    const [id, href] = [inside && focused.id, inside && focused.getAttribute("href")];
    const reading = [...part.querySelectorAll("[data-key], [data-matter]")].find((one) => one.getBoundingClientRect().bottom > 0);
    const [attribute, key] = reading ? [reading.dataset.key ? "data-key" : "data-matter", reading.dataset.key ?? reading.dataset.matter] : [];
    const top = reading?.getBoundingClientRect().top;
    const unfolded = new Set([...part.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
    part.innerHTML = next.innerHTML;
    Object.assign(part.dataset, next.dataset);
    for (const one of part.querySelectorAll("details > summary")) one.parentElement.open ||= unfolded.has(one.textContent);
    for (const place of ["places", "can"]) if ($(place) && page.getElementById(place)) $(place).innerHTML = page.getElementById(place).innerHTML;
    const still = key && named(attribute, key, part);
    if (still) scrollBy({ top: still.getBoundingClientRect().top - top, behavior: "instant" });
    if (inside) ((id && $(id)) || (href && named("href", href, part)) || $("main")).focus({ preventScroll: true });
    interrupted(page.getElementById("danger"));
    banner.hidden = !known.size; // what no longer waits is gone from it
    after = page.getElementById("live").dataset.after;
    fresh.clear();
    shownAt = performance.now();
    count();
    put($("live-count"), "The page is up to date.");
    open();
    tell();
  }

  // ---- Immediate danger: banner, title, sound, an alert that is read out; the focus stays where it is
  const title = document.title.replace(/^Immediate danger \(\d+\) – /, ""), banner = $("danger");
  let known = dangers(banner), asking = false, failures = 0, retrying; // who is in danger, and by what was said of it
  const sounded = new Set(); // those announced by the stream's word alone, until the banner itself has them

  function dangers(section) { return new Map(Object.entries(JSON.parse(section.dataset.all))); }

  // The stream's word is enough to interrupt: what the banner says of it follows, however often it must be asked for.
  function warn(id) {
    if (known.has(id) || sounded.has(id)) return;
    sounded.add(id);
    redraw(() => {
      const line = document.createElement("li"), link = document.createElement("a"), more = document.createElement("span");
      line.dataset.danger = id;
      link.href = `/board/matters/${encodeURIComponent(id)}`;
      link.textContent = "A child";
      more.className = "danger__state";
      more.textContent = "Nobody has taken this.";
      line.append(link, " ", more);
      if (!known.size) $("danger-list").replaceChildren(); // what stood there no longer waits
      $("danger-list").prepend(line);
      banner.hidden = false;
    });
    counted();
    say("A child. Nobody has taken this.");
    beep();
  }

  async function danger() {
    clearTimeout(retrying);
    if (asking) return void (asking = "again");
    asking = true;
    let next;
    try {
      const answer = await fetch("/board/danger", { redirect: "manual", signal: AbortSignal.timeout(10_000) });
      next = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("danger");
    } catch { /* asked for again */ }
    const more = asking === "again";
    asking = false;
    if (next) {
      failures = 0;
      interrupted(next, more);
      if (more) danger();
    } else {
      retrying = setTimeout(danger, Math.min(LONGEST, 500 * 2 ** failures++) * (0.75 + Math.random() / 2));
    }
  }

  function interrupted(next, more = false) {
    const now = dangers(next), isNew = ([id, facts]) => facts.some((fact) => !known.get(id)?.includes(fact)) || !known.has(id);
    const arrived = [...now].filter(isNew).map(([id]) => id), silent = arrived.filter((id) => !sounded.has(id));
    redraw(() => {
      if (now.size) {
        const unfolded = banner.querySelector("details")?.open;
        banner.innerHTML = next.innerHTML;
        banner.hidden = false;
        const rest = banner.querySelector("details");
        if (rest) rest.open = unfolded || arrived.some((id) => named("data-danger", id, rest));
      } else {
        for (const line of banner.querySelectorAll(".danger__state")) put(line, "It no longer waits.");
        put($("danger-count"), "");
      }
    });
    known = now;
    for (const id of more ? now.keys() : [...sounded]) sounded.delete(id); // what the stream told since is asked for next
    counted();
    if (!arrived.length) return;
    say(arrived.map((id) => named("data-danger", id, banner)?.textContent.trim().replace(/\s+/g, " ")).join(" "));
    if (silent.length) beep();
  }

  function redraw(change) {
    const focused = banner.contains(document.activeElement) && document.activeElement.closest("[data-danger]")?.dataset.danger;
    const height = banner.offsetHeight, from = scrollY;
    change();
    const still = focused && named("data-danger", focused, banner);
    if (still) still.querySelector("a").focus({ preventScroll: true });
    const grown = banner.offsetHeight - height;
    if (grown && from > 0 && scrollY === from) scrollBy({ top: grown, behavior: "instant" });
  }

  function counted() {
    const many = new Set([...known.keys(), ...sounded]).size;
    document.title = (many ? `Immediate danger (${many}) – ` : "") + title;
    if (many) put($("danger-count"), many > 1 ? `: ${many} children` : "");
  }

  function say(whom) {
    put($("live-danger"), "");
    put($("live-danger"), `Immediate danger. ${whom} This board is not a substitute for 999.`);
  }

  // ---- Controls
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    count();
    tell();
  });

  let audio, sounds = false;
  const remembered = () => { try { return localStorage.getItem("board-sound") === "on"; } catch { return false; } };

  async function sounding(on) {
    audio ??= new AudioContext();
    await (on ? audio.resume() : audio.suspend());
    put(sound, on ? "Turn danger sound off" : "Turn danger sound on");
    $("live-silent").hidden = on;
    sounds = on;
    try { localStorage.setItem("board-sound", on ? "on" : "off"); } catch { /* asked again on the next page, then */ }
  }

  function beep() {
    if (audio?.state !== "running") return;
    for (const n of [0, 1, 2]) {
      const tone = audio.createOscillator(), loud = audio.createGain(), at = audio.currentTime + n * 0.35;
      tone.frequency.value = 880;
      loud.gain.setValueAtTime(0.0001, at);
      loud.gain.exponentialRampToValueAtTime(0.3, at + 0.02);
      loud.gain.exponentialRampToValueAtTime(0.0001, at + 0.25);
      tone.connect(loud).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.3);
    }
    live.dataset.beeps = String(Number(live.dataset.beeps ?? 0) + 1);
  }

  sound.addEventListener("click", async () => {
    await sounding(!sounds);
    beep();
  });
  // A browser lets a page sound only once somebody has used it: until then the button says that sound is off.
  const use = (event) => { if (remembered() && event?.target !== sound) sounding(true); };
  addEventListener("pointerdown", use, { once: true });
  addEventListener("keydown", use, { once: true });
  if (remembered() && navigator.userActivation?.hasBeenActive) use();

  // ---- What is typed is kept at the board for whoever types it, in case the page locks; a browser keeps nothing of it
  for (const typed of document.querySelectorAll("main form[method=post]")) {
    const fields = [...typed.elements].filter((one) => one.matches("textarea, [name=stays]"));
    if (!fields.length) continue;
    let keeping = 0;
    const stop = () => { clearTimeout(keeping); keeping = 0; };
    const keep = (keepalive = false) => {
      stop();
      const said = new URLSearchParams(new FormData(typed));
      said.set("path", new URL(typed.action).pathname);
      fetch("/board/draft", { method: "POST", body: said, redirect: "manual", keepalive }).catch(() => { /* kept with the next word */ });
    };
    const input = () => { stop(); keeping = setTimeout(() => keep(), 1_000); };
    for (const one of [typed, ...fields.filter((one) => !typed.contains(one))]) one.addEventListener("input", input);
    typed.addEventListener("submit", stop);
    addEventListener("beforeunload", () => { if (keeping) keep(true); }); // another form of the page is sent, or it is left
  }

  // ---- Who prints it is recorded, as who sees it is
  addEventListener("beforeprint", () => {
    const said = new URLSearchParams({ csrf: live.dataset.csrf, ...(card && { matter_id: card.dataset.matter }) });
    fetch("/board/printed", { method: "POST", body: said, keepalive: true }).catch(() => { /* it was seen, at least */ });
  });

  // ---- How long things have waited counts on
  const began = Number(live.dataset.now) * 1000 - performance.now();
  function ages() {
    for (const one of document.querySelectorAll("[data-since]")) put(one, span(began + performance.now() - Number(one.dataset.since) * 1000));
  }

  $("controls").hidden = false;
  setInterval(() => { tell(); if (!paused) ages(); }, 1_000);
  open();
  tell();
}

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
    if (interrupts || named("data-danger", id)) danger();
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
    if (page.getElementById("danger")?.hidden) $("danger").hidden = true; // what no longer waits is gone from it
    after = page.getElementById("live").dataset.after;
    fresh.clear();
    shownAt = performance.now();
    count();
    put($("live-count"), "The page is up to date.");
    open();
    tell();
  }

  // ---- Immediate danger: banner, title, sound, an alert that is read out; the focus stays where it is
  const title = document.title.replace(/^Immediate danger \(\d+\) – /, "");

  async function danger() {
    let next;
    try {
      const answer = await fetch("/board/danger", { redirect: "error" });
      next = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("danger");
    } catch { /* told when the connection is back */ }
    if (!next) return;
    const here = $("danger"), was = new Set(JSON.parse(here.dataset.all)), now = JSON.parse(next.dataset.all);
    const arrived = now.filter((id) => !was.has(id)), height = here.offsetHeight, from = scrollY;
    here.dataset.all = next.dataset.all;
    if (now.length) {
      const focused = document.activeElement?.closest?.("[data-danger]")?.dataset.danger;
      here.innerHTML = next.innerHTML;
      here.hidden = false;
      const again = focused && named("data-danger", focused, here);
      if (again) again.querySelector("a").focus({ preventScroll: true });
    } else {
      for (const line of here.querySelectorAll(".danger__state")) put(line, "It no longer waits.");
    }
    const grown = here.offsetHeight - height;
    if (grown && from > 0 && scrollY === from) scrollBy({ top: grown, behavior: "instant" });
    document.title = (now.length ? `Immediate danger (${now.length}) – ` : "") + title;
    if (!arrived.length) return;
    const line = named("data-danger", arrived[0], here)?.textContent ?? "";
    put($("live-danger"), "");
    put($("live-danger"), `Immediate danger. ${line.trim().replace(/\s+/g, " ")} This board is not a substitute for 999.`);
    beep();
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

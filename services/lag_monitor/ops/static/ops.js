// The operators' page, live: asked for again every few seconds, and only what changed is changed, so that nobody loses
// their place, their focus, what they opened or what they have marked. Without this script it is shown again by a link.

const EVERY = 5_000, LONGEST = 60_000;
const $ = (id) => document.getElementById(id);
const live = $("live"), state = $("live-state"), said = $("live-said"), pause = $("live-pause"), refresh = $("live-refresh");
const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
let paused = false, asking = false, failures = 0, timer, shownAt = performance.now();

const wrongs = (page) => new Map([...page.querySelectorAll("[data-wrong]")].map((one) => [one.dataset.wrong, one.querySelector("a").textContent]));

async function ask() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch("/ops", { redirect: "error", signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(String(answer.status));
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (failures) put(said, "Connected again.");
    failures = 0;
    shownAt = performance.now();
  } catch {
    if (!failures++) put(said, "Connection lost.");
  } finally {
    asking = false;
    tell();
    plan();
  }
}

function plan() {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(ask, Math.min(LONGEST, EVERY * 2 ** Math.min(failures, 4)));
}

function tell() {
  live.classList.toggle("live--lost", failures > 0);
  pause.setAttribute("aria-pressed", String(paused));
  if (failures) put(state, `Connection lost. What you see is ${Math.round((performance.now() - shownAt) / 1000)} s old. Trying again.`);
}

function show(page) {
  const before = wrongs(document), now = wrongs(page);
  const top = reading(), from = top?.getBoundingClientRect().top;
  for (const part of document.querySelectorAll("[data-part]")) change(part, page.getElementById(part.id));
  if (top?.isConnected) scrollBy({ top: top.getBoundingClientRect().top - from, behavior: "instant" });
  put(state, page.getElementById("live-state").textContent);
  document.title = page.title;
  const fresh = [...now].filter(([key]) => !before.has(key)).map(([, what]) => what);
  const gone = [...before].filter(([key]) => !now.has(key)).map(([, what]) => what);
  if (fresh.length) put(said, `Needs somebody: ${fresh.join(". ")}.`);
  else if (gone.length) put(said, now.size ? `No longer: ${gone.join(". ")}.` : "All is well.");
}

// Where somebody reads: what they have the focus in, if they can see it, else what is at the top of the window.
function reading() {
  const seen = (one) => { const box = one.getBoundingClientRect(); return box.bottom > 0 && box.top < innerHeight; };
  const used = document.activeElement?.closest(".row");
  return used && seen(used) ? used : [...document.querySelectorAll(".row, .wrong, h2")].find(seen);
}

// The same elements stay where they are; what differs in them is taken over, from the outside in.
function change(old, next) {
  if (!next || old.isEqualNode(next) || marked(old)) return;
  if (old.nodeName !== next.nodeName || whole(old) || whole(next)) return swap(old, next);
  for (const { name, value } of next.attributes) old.setAttribute(name, value);
  const byId = new Map([...old.children].filter((one) => one.id).map((one) => [one.id, one]));
  let place = old.firstElementChild;
  for (const wanted of [...next.children]) {
    const same = wanted.id ? byId.get(wanted.id) : place && !place.id && place.nodeName === wanted.nodeName ? place : null;
    if (!same) { old.insertBefore(wanted.cloneNode(true), place); continue; }
    if (same === place) place = place.nextElementSibling;
    else old.insertBefore(same, place);
    change(same, wanted);
  }
  while (place) { const over = place; place = place.nextElementSibling; if (!marked(over)) over.remove(); }
}

// A text, a drawing: nothing within it is worth keeping.
function whole(element) {
  return !element.children.length || element instanceof SVGElement ||
    [...element.childNodes].some((one) => one.nodeType === Node.TEXT_NODE && one.textContent.trim());
}

function swap(old, next) {
  if (old.contains(document.activeElement) && old.nodeName === next.nodeName && !old.children.length) return void (old.textContent = next.textContent);
  if (!old.contains(document.activeElement)) old.replaceWith(next.cloneNode(true));
}

function marked(element) {
  const selection = getSelection();
  return !!selection && !selection.isCollapsed && selection.containsNode(element, true) && !element.hasAttribute("data-part");
}

pause.hidden = false;
pause.addEventListener("click", () => { paused = !paused; tell(); plan(); });
refresh.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a link like any other
  event.preventDefault();
  ask();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) ask(); });
setInterval(tell, 1_000);
plan();

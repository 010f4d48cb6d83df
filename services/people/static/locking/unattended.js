// A page that shows what nobody else may see asks in time whether somebody is there, and is left when nobody is. A click
// or a key says so too. A locked page goes on saying that somebody is in danger. Without this script, the browser goes
// to the locked page and asks again by itself (unattended.html).

const here = document.querySelector("script[data-leaves-for]").dataset;
const csrf = document.querySelector("input[name=csrf]")?.value;
const WARN = 120, ASK_EVERY = 60, TELL_EVERY = 20, LOCKED_ASKS_EVERY = 5; // seconds
const seconds = () => Date.now() / 1000;
let endsAt = Infinity, askedAt = seconds(), toldAt = seconds(), used = false, leaving = false, notice;

if ("locked" in here) watch();
else if (csrf) attend();

// ---- A page with something on it
function attend() {
  for (const event of ["keydown", "pointerdown", "input", "wheel", "touchmove"]) {
    addEventListener(event, () => { used = true; }, { capture: true, passive: true });
  }
  addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
  document.addEventListener("visibilitychange", tick);
  setInterval(tick, 1_000);
  ask();
}

async function tick() {
  if (leaving) return;
  const now = seconds();
  if (endsAt <= now) {
    leaving = true; // unless another window was used meanwhile
    await ask();
    leaving = endsAt <= seconds();
    if (leaving) return leave();
  } else if (used && (notice || now - toldAt > TELL_EVERY)) {
    used = false;
    toldAt = now;
    await ask(new URLSearchParams({ csrf }));
  } else if (now - askedAt > (notice ? 5 : ASK_EVERY)) {
    await ask();
  }
  warn(endsAt - seconds() < WARN);
}

async function ask(body) {
  askedAt = seconds();
  try {
    const answer = await fetch("/still-there", { method: body ? "POST" : "GET", body, redirect: "manual" });
    if (answer.ok) endsAt = seconds() + (await answer.json()).seconds;
    else if (answer.status === 404 || answer.type === "opaqueredirect") endsAt = 0;
  } catch { /* away: what was known holds */ }
}

function warn(soon) {
  if (!soon) {
    notice?.remove();
    notice = undefined;
  } else if (!notice) {
    notice = document.createElement("section");
    notice.className = "still-there";
    notice.setAttribute("aria-label", "Are you still there?");
    notice.innerHTML =
      '<p role="alert"><strong>Are you still there?</strong> In two minutes this page is covered. Press any key to stay.</p>' +
      '<button class="button" type="button">I am still here</button>';
    document.body.append(notice);
  }
}

async function leave() {
  document.title = "Are you still there?";
  const said = document.createElement("p");
  said.textContent = "This page is covered, because nobody has used it for a while.";
  document.body.replaceChildren(said);
  for (;;) {
    try {
      await fetch("/still-there");
      return location.replace(here.leavesFor);
    } catch {
      await new Promise((wait) => setTimeout(wait, 2_000));
    }
  }
}

// ---- A locked page
function watch() {
  const place = document.getElementById("locked-danger"), title = document.title;
  let count = Number(place.dataset.count || 0), audio;
  const sound = async () => { audio ||= new AudioContext(); await audio.resume(); };
  for (const event of ["pointerdown", "keydown"]) addEventListener(event, sound, { once: true });
  if (wanted()) sound();
  if (count) interrupt();
  setInterval(async () => {
    let said;
    try {
      const answer = await fetch("/still-there");
      if (!answer.ok) return location.reload();
      said = await answer.json();
    } catch { return; }
    if (said.seconds > 0) return location.replace(here.leavesFor);
    const more = said.danger > count;
    if (said.danger === count) return;
    count = said.danger;
    place.innerHTML = "";
    document.title = title;
    if (count) interrupt(more);
  }, LOCKED_ASKS_EVERY * 1_000);

  function interrupt(more = true) {
    document.title = `Immediate danger (${count}) – ${title}`;
    if (!place.firstElementChild) {
      const said = document.createElement("p"), name = document.createElement("strong");
      said.className = "error-summary";
      name.textContent = `Immediate danger: ${count} ${count === 1 ? "matter" : "matters"} that nobody has taken.`;
      said.append(name, " Sign in now. Not a substitute for 999: if a child is in danger now, call 999.");
      place.append(said);
    }
    if (more && wanted()) beep();
  }

  function beep() {
    if (audio?.state !== "running") return;
    for (const at of [0, 0.35, 0.7]) {
      const tone = audio.createOscillator(), loud = audio.createGain();
      tone.frequency.value = 880;
      loud.gain.value = 0.3;
      tone.connect(loud).connect(audio.destination);
      tone.start(audio.currentTime + at);
      tone.stop(audio.currentTime + at + 0.2);
    }
    document.documentElement.dataset.beeped = String(Number(document.documentElement.dataset.beeped || 0) + 1);
  }

  function wanted() {
    try { return localStorage.getItem("board-sound") === "on"; } catch { return false; }
  }
}

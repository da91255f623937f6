// The tail: what is under way, told by a socket, caught up over HTTP, asked for by HTTP while there is no socket. All
// that is shown is put in as text: names come from clients.
import { onKey, say } from "./shell.js";

const page = document.querySelector("[data-live]");
const find = (name) => page.querySelector(`[data-${name}]`);
const MOST_ROWS = 300;
const POLL = 2000;
const STALE = 45000;

const records = new Map();
const rows = new Map();
let boot = "";
let seq = 0;
let count = 0;
let socket = null;
let tries = 0;
let paused = false;
let held = 0;
let dirty = false;
let asking = false;
let over = false; // signed out: there is nothing more to be told

// the filter: words, and name:value
const FIELDS = { key: "key", model: "model", team: "team", provider: "provider", session: "session", agent: "agent", client: "client", path: "path" };
let filter = [];
function readFilter(text) {
  filter = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const not = word.startsWith("-") && word.length > 1;
    const bare = not ? word.slice(1) : word;
    const [name, ...rest] = bare.split(":");
    const value = rest.join(":");
    const field = FIELDS[name];
    const test = value && name === "is" ? (one) => stateOf(one) === value
      : value && field ? (one) => textOf(one, field).includes(value)
      : (one) => whole(one).includes(bare);
    return not ? (one) => !test(one) : test;
  });
}
const textOf = (one, field) => (field === "model" ? `${one.model || ""} ${one.to || ""}` : String(one[field] || "")).toLowerCase();
const whole = (one) => ["key", "team", "model", "to", "provider", "session", "agent", "client", "path", "doing", "outcome", "error", "id"].map((name) => one[name] || "").join(" ").toLowerCase();
// What the bar above narrows to: whole values. A model is the one that was asked for, or the one it is sent to.
const NARROWED = ["team", "key", "model", "provider"].filter((name) => page.dataset[name]);
const looked = (one) => NARROWED.every((name) => one[name] === page.dataset[name] || (name === "model" && one.to === page.dataset.model));
const passes = (one) => filter.every((test) => test(one));

function stateOf(one) {
  if (!("ended" in one)) return "running";
  return one.outcome === "completed" && !(one.status >= 400) ? "done" : "failed";
}
const SIGNS = { running: ["on", "●"], done: ["good", "✓"], failed: ["bad", "✕"] };
function wordsOf(one) {
  if (!("ended" in one)) return one.status === undefined ? "waits" : String(one.status);
  const outcome = (one.outcome || "").replaceAll("_", " ");
  if (one.outcome === "completed") return String(one.status ?? "done");
  return one.status ? `${one.status} ${outcome}` : outcome;
}
function doingOf(one) {
  if (one.error) return one.error;
  if ("ended" in one) return one.path || "";
  if (one.status === undefined) return "waits for the model";
  const doing = one.doing || "";
  return doing.startsWith("tool:") ? `calls ${doing.slice(5)}` : doing || "answers";
}
const seconds = (value) => (value < 10 ? `${value.toFixed(1)} s` : value < 120 ? `${Math.round(value)} s` : `${Math.round(value / 60)} min`);
const took = (one, now) => seconds("ms" in one ? one.ms / 1000 : Math.max(0, now - one.at));
const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour12: false });

// rows: made once, then only what differs is written
const CELLS = ["began", "state", "who", "model", "doing", "tokens", "took"];
function makeRow(one) {
  const row = document.createElement("tr");
  const cells = CELLS.map(() => row.insertCell());
  cells[5].className = cells[6].className = "lv-number";
  cells[4].className = "lv-doing";
  const link = document.createElement("a");
  link.dataset.row = "";
  link.href = page.dataset.request.replace("00000000-0000-0000-0000-000000000000", encodeURIComponent(one.id));
  const time = document.createElement("time");
  time.dateTime = new Date(one.at * 1000).toISOString();
  time.textContent = clock(one.at);
  link.append(time);
  cells[0].append(link);
  const badge = document.createElement("span");
  const sign = document.createElement("span");
  sign.setAttribute("aria-hidden", "true");
  badge.append(sign, document.createTextNode(""));
  cells[1].append(badge);
  return { row, cells, badge, sign, link };
}
function put(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}
function paint(one, made, now) {
  if ("ended" in one && !made.link.dataset.peek) made.link.dataset.peek = one.id; // what is under way has no record to look into
  const [tone, sign] = SIGNS[stateOf(one)];
  const name = `lv-badge lv-${tone}`;
  if (made.badge.className !== name) {
    made.badge.className = name;
    made.sign.textContent = sign;
  }
  const words = ` ${wordsOf(one)}`;
  if (made.badge.lastChild.data !== words) made.badge.lastChild.data = words;
  put(made.cells[2], [one.key || one.client || "", one.team].filter(Boolean).join(" · "));
  put(made.cells[3], [one.model, one.to && one.to !== one.model ? `→ ${one.to}` : ""].filter(Boolean).join(" "));
  put(made.cells[4], doingOf(one));
  put(made.cells[5], one.tokens ? `≈ ${one.tokens}${"ended" in one || !one.rate ? "" : ` · ${Math.round(one.rate)}/s`}` : "");
  put(made.cells[6], took(one, now));
}

function show() {
  dirty = false;
  const now = Date.now() / 1000;
  const list = [...records.values()].filter(passes).sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1)).slice(0, MOST_ROWS);
  const body = find("rows");
  const wanted = new Set(list.map((one) => one.id));
  for (const [id, made] of rows) {
    if (!wanted.has(id)) {
      made.row.remove();
      rows.delete(id);
    }
  }
  let next = body.firstElementChild;
  for (const one of list) {
    let made = rows.get(one.id);
    if (!made) rows.set(one.id, (made = makeRow(one)));
    paint(one, made, now);
    if (made.row === next) next = next.nextElementSibling;
    else body.insertBefore(made.row, next);
  }
  put(find("shown"), String(list.length));
  find("empty").hidden = list.length > 0;
  counts();
}
function counts() {
  const running = [...records.values()].filter((one) => !("ended" in one) && passes(one));
  put(find("running"), String(running.length));
  put(find("rate"), String(Math.round(running.reduce((sum, one) => sum + (one.rate || 0), 0))));
}
function later() {
  if (paused || dirty) return;
  dirty = true;
  requestAnimationFrame(show);
}

function take(list, whole) {
  if (whole) for (const [id, one] of records) if (!("ended" in one)) records.delete(id);
  for (const one of list) {
    if (!looked(one)) {
      records.delete(one.id); // it was sent elsewhere
      continue;
    }
    if (paused && !records.has(one.id)) held += 1;
    const known = records.get(one.id);
    if (known && "ended" in known && !("ended" in one)) continue;
    records.set(one.id, one);
  }
  if (records.size > 2 * MOST_ROWS) {
    const old = [...records.values()].filter((one) => "ended" in one).sort((a, b) => a.ended - b.ended);
    for (const one of old.slice(0, records.size - 2 * MOST_ROWS)) records.delete(one.id);
  }
  if (paused) {
    find("held").hidden = held === 0;
    put(find("held-count"), String(held));
    counts();
  }
  later();
}

function mark(words) {
  if (paused) return;
  const row = document.createElement("tr");
  const cell = row.insertCell();
  row.className = "lv-gap";
  cell.colSpan = CELLS.length;
  cell.textContent = words;
  find("rows").prepend(row);
  setTimeout(() => row.remove(), 20000);
}
function state(lamp, words) {
  find("lamp").dataset.lamp = lamp;
  put(find("state"), words);
}

function signedOut() {
  over = true;
  state("bad", "you are signed out");
}

async function catchUp() {
  if (asking || over) return;
  asking = true;
  try {
    const answer = await fetch(`${page.dataset.since}?boot=${encodeURIComponent(boot)}&seq=${seq}`, { headers: { Accept: "application/json" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") return signedOut();
    if (answer.status === 403) return state("bad", "you may not see this any more");
    if (!answer.ok) throw new Error(String(answer.status));
    const told = await answer.json();
    if (told.whole && boot && told.boot === boot) mark("Some of what happened here was missed; the history has it.");
    take(told.records, told.whole);
    boot = told.boot;
    seq = told.seq;
    if (!socket) state("warn", "by asking every two seconds");
  } catch {
    state("bad", "the dashboard does not answer; trying again");
  } finally {
    asking = false;
  }
}

function open() {
  const address = new URL(page.dataset.socket, window.location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const opened = new WebSocket(address);
  let heard = false;
  opened.addEventListener("message", (event) => {
    const told = JSON.parse(event.data);
    if ("boot" in told) {
      heard = true;
      socket = opened;
      tries = count = 0;
      state("good", "live");
      catchUp();
      return;
    }
    count += 1;
    if (told.gap || told.n !== count) {
      count = told.n;
      catchUp();
      return;
    }
    take(told.records, false);
    seq = Math.max(seq, told.seq);
  });
  opened.addEventListener("close", (event) => {
    if (socket === opened) socket = null;
    if (event.code === 4401 || over) return signedOut();
    if (!heard || !socket) state("warn", "by asking every two seconds");
    tries += 1;
    setTimeout(open, Math.min(30000, 1000 * 2 ** Math.min(tries, 5)));
  });
}

function pause() {
  paused = !paused;
  const button = find("pause");
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Go on" : "Pause";
  if (!paused) {
    held = 0;
    find("held").hidden = true;
    show();
  }
  say(paused ? "Paused" : "Live");
}

const form = find("filter");
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => {
  const text = form.elements.q.value;
  readFilter(text);
  const address = new URL(window.location.href);
  if (text.trim()) address.searchParams.set("q", text.trim());
  else address.searchParams.delete("q");
  window.history.replaceState(null, "", address);
  show();
});
// A choice in the bar leaves the filter as it is.
document.querySelector("[data-scope]")?.addEventListener("formdata", ({ formData }) => {
  const text = form.elements.q.value.trim();
  if (text) formData.set("q", text);
});
find("pause").addEventListener("click", pause);
onKey("p", pause);
readFilter(form.elements.q.value);
catchUp().then(show);
open();
setInterval(() => { if (!socket && !document.hidden) catchUp(); }, POLL);
setInterval(() => { if (socket) catchUp(); }, STALE);
setInterval(() => { if (!paused && !document.hidden) show(); }, 1000);

// The keyboard, the side bar of narrow windows, the theme, what can be copied. Pages add to it with `onKey`.
const THEMES = { auto: "dark", dark: "light", light: "auto" };
const ICONS = { auto: "contrast", dark: "dark_mode", light: "light_mode" };
const TYPING = "input, textarea, select, [contenteditable]";
const keys = new Map();

export function onKey(key, action) {
  keys.set(key, action);
}

export function say(words) {
  const place = document.getElementById("said");
  place.textContent = words;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { place.textContent = ""; }, 2500);
}

export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(what);
}

// theme
function showTheme() {
  const theme = window.turnlogTheme.chosen();
  const icon = document.querySelector("[data-theme-icon]");
  if (icon) icon.textContent = ICONS[theme];
}
function nextTheme() {
  const theme = THEMES[window.turnlogTheme.chosen()];
  window.turnlogTheme.choose(theme);
  showTheme();
  say({ auto: "As the system", dark: "Dark", light: "Light" }[theme]);
}
showTheme();
document.querySelector("[data-theme-switch]")?.addEventListener("click", nextTheme);

// side bar of narrow windows
const side = document.getElementById("side");
const burger = document.querySelector("[data-side]");
function toggleSide(open = !side.classList.contains("sh-open")) {
  side.classList.toggle("sh-open", open);
  burger.setAttribute("aria-expanded", String(open));
}
burger?.addEventListener("click", () => toggleSide());

document.addEventListener("click", (event) => {
  if (side?.classList.contains("sh-open") && !event.target.closest("#side, [data-side]")) toggleSide(false);
  for (const open of document.querySelectorAll(".sh-user[open], .sh-custom[open], [data-menu][open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// scope: a choice is applied at once
document.querySelector("[data-scope]")?.addEventListener("change", (event) => {
  if (event.target.matches("select")) event.currentTarget.requestSubmit();
});
document.querySelector("[data-scope]")?.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
});

// what can be copied: data-copy has the text, data-copyable is the text, data-copy-from an address to fetch it from
for (const block of document.querySelectorAll("[data-copyable]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tl-button sh-copy";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(block.textContent));
  block.parentElement.style.position = "relative";
  block.parentElement.append(button);
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  event.preventDefault();
  if (button.dataset.copyFrom) {
    const answer = await fetch(button.dataset.copyFrom, { headers: { Accept: "text/plain" } });
    if (!answer.ok) return say("It could not be had");
    await copy(await answer.text(), button.dataset.copied || "Copied");
  } else {
    await copy(button.dataset.copy, button.dataset.copied || "Copied");
  }
});

// help
const help = document.getElementById("help");
document.querySelector("[data-help]")?.addEventListener("click", () => help.showModal());

// rows that are walked with j and k: [data-walk] holds them, a[data-row] is where each leads
const rows = () => [...document.querySelectorAll("[data-walk] [data-row]")];
const rowOf = (link) => link.closest("tr, li, article") || link;
export function chosenRow() {
  return rows().find((link) => "chosen" in rowOf(link).dataset);
}
export function choose(link, shows = true) {
  for (const other of rows()) delete rowOf(other).dataset.chosen;
  if (!link) return;
  rowOf(link).dataset.chosen = "";
  if (!shows) return;
  rowOf(link).scrollIntoView({ block: "nearest" });
  document.dispatchEvent(new CustomEvent("turnlog:chosen", { detail: link }));
}
function walk(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(chosenRow());
  const next = at + step;
  if (next >= all.length) return document.querySelector("[data-older]")?.click();
  if (at >= 0 && next < 0) return document.querySelector("[data-newer]")?.click();
  choose(all[Math.max(0, next)]);
}

let gone = 0;
function go(key) {
  document.querySelector(`[data-go="${CSS.escape(key)}"]`)?.click();
}
onKey("/", () => {
  const field = document.querySelector("[data-search]");
  field?.focus();
  field?.select();
});
onKey("?", () => help.showModal());
onKey("t", nextTheme);
onKey("j", () => walk(1));
onKey("k", () => walk(-1));
onKey("g", () => { gone = performance.now(); });
onKey("Enter", () => chosenRow()?.click());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches(TYPING);
  if (event.key === "Escape") {
    if (typing) return event.target.blur();
    if (help.open) return;
    if (side?.classList.contains("sh-open")) return toggleSide(false);
    return document.dispatchEvent(new CustomEvent("turnlog:escape"));
  }
  if (typing || help.open) return;
  if (event.key === "Enter" && event.target.matches("a, button, summary")) return;
  if (gone && performance.now() - gone < 1500 && event.key !== "g") {
    gone = 0;
    event.preventDefault();
    return go(event.key);
  }
  const action = keys.get(event.key);
  if (!action) return;
  event.preventDefault();
  action(event);
});

// times in the reader's zone, said on hovering: <time datetime>
function sayLocally(root) {
  for (const time of root.querySelectorAll?.("time[datetime]") ?? []) {
    if (!time.title) time.title = new Date(time.dateTime).toLocaleString();
  }
}
sayLocally(document);
document.addEventListener("htmx:afterSwap", (event) => sayLocally(event.target));

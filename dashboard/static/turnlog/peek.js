// The drawer beside a list. A click on a row, or Enter, opens it; once more opens the row itself. `j` and `k` walk on with
// it open, Escape closes it. What is open stands in the address as `peek`, so that a link shows the same.
// [data-peek-of] holds the rows and says where a preview is, with * for its key; a[data-peek] has the key.
import { choose, chosenRow, say } from "./shell.js";

const drawer = document.getElementById("drawer");
const list = document.querySelector("[data-peek-of]");
let shown = null;
let asking = null;

const linkOf = (key) => [...document.querySelectorAll("a[data-peek]")].find((link) => link.dataset.peek === key);
const addressed = () => new URL(window.location.href).searchParams.get("peek");

function withPeek(key) {
  const address = new URL(window.location.href);
  if (key) address.searchParams.set("peek", key);
  else address.searchParams.delete("peek");
  return address;
}

async function show(key) {
  asking?.abort();
  asking = new AbortController();
  shown = key;
  const first = drawer.hidden;
  drawer.hidden = false;
  drawer.setAttribute("aria-busy", "true");
  const link = linkOf(key);
  if (link && link !== chosenRow()) choose(link);
  try {
    const answer = await fetch(list.dataset.peekOf.replace("*", encodeURIComponent(key)), { signal: asking.signal });
    if (answer.redirected) return window.location.reload();
    if (answer.status === 404 && link) return window.location.assign(link.href); // its own page says why, and waits for it
    if (!answer.ok) throw new Error(String(answer.status));
    drawer.innerHTML = await answer.text();
    drawer.scrollTop = 0;
    if (first) drawer.focus({ preventScroll: true });
  } catch (problem) {
    if (problem.name === "AbortError") return;
    hide();
    window.history.replaceState(null, "", withPeek(null));
    say("There is nothing to look into");
  } finally {
    drawer.removeAttribute("aria-busy");
  }
}

function hide() {
  asking?.abort();
  const link = shown && linkOf(shown);
  shown = null;
  drawer.hidden = true;
  drawer.replaceChildren();
  if (link) link.focus({ preventScroll: true });
}

function open(key) {
  if (shown) window.history.replaceState(window.history.state, "", withPeek(key));
  else window.history.pushState({ peek: true }, "", withPeek(key));
  show(key);
}

function close() {
  if (window.history.state?.peek) return window.history.back(); // the address before it, and `popstate` closes
  window.history.replaceState(null, "", withPeek(null));
  hide();
}

if (list) {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-peek-close]")) return close();
    const link = event.target.closest("a[data-peek]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (shown === link.dataset.peek) return; // once more: the row itself
    event.preventDefault();
    open(link.dataset.peek);
  });
  document.addEventListener("turnlog:chosen", (event) => {
    const key = event.detail.dataset.peek;
    if (shown && key && key !== shown) open(key);
  });
  document.addEventListener("turnlog:escape", () => { if (shown) close(); });
  window.addEventListener("popstate", () => {
    const key = addressed();
    if (key && key !== shown) show(key);
    else if (!key && shown) hide();
  });
  if (addressed()) show(addressed());
}

// Keys of a request and a conversation: `r` for the raw bytes, `[` and `]` for the one before and after. A fold that an
// address points into is opened.
import { onKey } from "./shell.js";

const press = (selector) => () => document.querySelector(selector)?.click();
onKey("r", press('[data-tab="raw"]'));
onKey("[", press("[data-before]"));
onKey("]", press("[data-after]"));

function reveal() {
  const name = decodeURIComponent(window.location.hash.slice(1));
  const target = name && document.getElementById(name);
  if (!target) return;
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target.scrollIntoView({ block: "start" });
}
window.addEventListener("hashchange", reveal);
reveal();

document.addEventListener("click", (event) => {
  // Closed by a click outside, and by the choice that was made.
  for (const open of document.querySelectorAll(".rd-menu[open]")) {
    if (!open.querySelector("summary").contains(event.target)) open.open = false;
  }
});

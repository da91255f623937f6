// The part of the page that changes is fetched every second while it is looked at.
import { choose, chosenRow, onKey, say } from "./shell.js";

const page = document.querySelector("[data-agents]");
const part = page.querySelector("[data-part]");
const button = page.querySelector("[data-pause]");
const lamp = page.querySelector("[data-lamp]");
const words = page.querySelector("[data-state]");
let paused = false;
let asking = false;
let over = false; // signed out

function state(tone, text) {
  lamp.dataset.lamp = tone;
  if (words.textContent !== text) words.textContent = text;
}

// The row that was walked to stays chosen, where its agent is still there.
function replace(text) {
  const address = part.contains(chosenRow()) && chosenRow().getAttribute("href");
  part.innerHTML = text; // made by our own templates, which escape what comes from clients
  if (address) choose([...part.querySelectorAll("[data-row]")].find((link) => link.getAttribute("href") === address), false);
}

async function renew() {
  if (over || paused || document.hidden || asking || part.contains(document.activeElement)) return;
  asking = true;
  try {
    const answer = await fetch(page.dataset.now, { redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      over = true;
      return state("bad", "you are signed out");
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    if (!paused) replace(text);
    state("good", "live");
  } catch {
    state("bad", "the dashboard does not answer; trying again");
  } finally {
    asking = false;
  }
}

function pause() {
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Go on" : "Pause";
  state(paused ? "wait" : "good", paused ? "paused" : "live");
  say(paused ? "Paused" : "Live");
  renew();
}
button.addEventListener("click", pause);
onKey("p", pause);
renew();
setInterval(renew, 1000);

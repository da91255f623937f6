// The part of the page that changes is fetched every second while it is looked at.
import { onKey, say } from "./shell.js";

const page = document.querySelector("[data-agents]");
const part = page.querySelector("[data-part]");
const button = page.querySelector("[data-pause]");
const lamp = page.querySelector("[data-lamp]");
const words = page.querySelector("[data-state]");
let paused = false;
let asking = false;

function state(tone, text) {
  lamp.dataset.lamp = tone;
  if (words.textContent !== text) words.textContent = text;
}

async function renew() {
  if (paused || document.hidden || asking || part.contains(document.activeElement)) return;
  asking = true;
  try {
    const answer = await fetch(page.dataset.now, { redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    if (!paused) part.innerHTML = text; // made by our own templates, which escape what comes from clients
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

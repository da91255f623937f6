// A request that is not stored yet: asked for every two seconds while somebody looks, and shown when it is there.
const box = document.querySelector("[data-there]");
const words = box.querySelector("[data-looked]");
let over = false;

function put(text) {
  if (words.textContent !== text) words.textContent = text; // not told again to who listens
}

async function look() {
  if (over || document.hidden) return;
  try {
    const answer = await fetch(box.dataset.there, { redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      over = true;
      return put("You are signed out.");
    }
    if (!answer.ok) throw new Error(String(answer.status));
    if ((await answer.json()).there) {
      over = true;
      return window.location.reload();
    }
    put("Not there yet.");
  } catch {
    put("The dashboard does not answer; trying again.");
  }
}
look();
setInterval(look, 2000);

// Parts of a page that ask for themselves again ([hx-trigger^="every"]): not while nobody sees them, and so that their
// reader finds them as they were left: unfolded, scrolled, focused, pointed at.
const renews = (element) => element.matches?.('[hx-trigger^="every"]');
let left = null;

// The same element before and after. [data-of] says what a piece is about, where pieces may change their places.
function nameOf(element) {
  const about = element.closest("[data-of]")?.dataset.of;
  const figure = element.closest("figure")?.querySelector("figcaption")?.textContent;
  return JSON.stringify([element.tagName, about, figure, element.id, element.getAttribute("href"), element.getAttribute("aria-label")]);
}
const named = (part, selector) => new Map([...part.querySelectorAll(selector)].map((element) => [nameOf(element), element]));

// What stands at the top of the window must stay there, whatever comes or goes above it.
const atTop = (part) => [...part.querySelectorAll("[data-of]")].find((piece) => piece.getBoundingClientRect().bottom > 0);

function leave(part) {
  const top = window.scrollY > 0 ? atTop(part) : undefined;
  return {
    open: [...named(part, "details[open]").keys()],
    scrolled: [...named(part, ".tl-scroll")].map(([name, { scrollLeft, scrollTop }]) => [name, scrollLeft, scrollTop]),
    pointed: [...named(part, "figure")].filter(([, { plot }]) => plot?.cursor.left >= 0).map(([name, { plot }]) => [name, plot.cursor.left, plot.cursor.top]),
    focused: part.contains(document.activeElement) && nameOf(document.activeElement),
    scrollY: window.scrollY,
    top: top && [top.dataset.of, top.getBoundingClientRect().top],
  };
}

function find(part, { open, scrolled, pointed, focused, scrollY, top }) {
  const folds = named(part, "details");
  for (const name of open) folds.get(name)?.setAttribute("open", "");
  const boxes = named(part, ".tl-scroll");
  for (const [name, x, y] of scrolled) boxes.get(name)?.scrollTo(x, y);
  const figures = named(part, "figure");
  for (const [name, x, y] of pointed) figures.get(name)?.plot?.setCursor({ left: x, top: y });
  if (focused) named(part, "a, button, summary, [tabindex]").get(focused)?.focus({ preventScroll: true });
  const piece = top && [...part.querySelectorAll("[data-of]")].find((one) => one.dataset.of === top[0]);
  window.scrollTo(window.scrollX, piece ? window.scrollY + piece.getBoundingClientRect().top - top[1] : scrollY);
}

const marked = (part) => {
  const selection = window.getSelection();
  return !selection.isCollapsed && part.contains(selection.anchorNode);
};

document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  if (renews(part) && (document.hidden || marked(part))) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!renews(event.target)) return;
  // Who is signed out is answered with the page of signing in, which has no such part.
  if (!new URL(event.detail.xhr.responseURL).pathname.startsWith("/d/")) event.preventDefault();
  else left = leave(event.target);
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (!left || !renews(event.target)) return;
  find(event.target, left);
  left = null;
});

// The shell's conveniences. Every one of them only shortens what a form or a link does without it.
const root = document.documentElement;
const YEAR = 31536000;
const remember = (name, value) => {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${value}; path=/; max-age=${YEAR}; samesite=lax${secure}`;
};

document.addEventListener("click", (event) => {
  const theme = event.target.closest("[data-theme-switch] button");
  if (theme) {
    event.preventDefault();
    root.dataset.theme = theme.value;
    remember("theme", theme.value);
    for (const button of theme.form.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === theme));
    return;
  }
  const rail = event.target.closest("[data-rail-toggle]");
  if (rail) {
    event.preventDefault();
    const next = root.dataset.rail === "closed" ? "open" : "closed";
    root.dataset.rail = next;
    remember("rail", next);
    return;
  }
  const switched = event.target.closest("[data-keys-switch]");
  if (switched) {
    root.dataset.singleKeys = switched.checked ? "on" : "off";
    remember("keys", root.dataset.singleKeys);
  }
  if (event.target.closest("[data-keys]")) document.getElementById("keys")?.showModal();
  if (event.target.closest("[data-close]")) event.target.closest(".toast, dialog")?.remove?.();
  if (event.target.closest("[data-dialog-close]")) event.target.closest("dialog")?.close();
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// A page that comes back with something to mend says so in its title, and begins there.
const wrong = document.querySelector("main [aria-invalid=true], main .form-errors");
if (wrong) {
  document.title = `Error: ${document.title}`;
  if (wrong.matches(".form-errors")) wrong.tabIndex = -1;
  wrong.focus();
}

// A form that was sent is not sent again by a second click while its answer is on its way. htmx keeps its own forms.
const ANSWERED = 5000;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
  if (Date.now() - Number(form.dataset.sent ?? 0) < ANSWERED) event.preventDefault();
  else form.dataset.sent = Date.now();
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
});

// Who speaks to the machine, or hits keys by chance, can turn keys without Ctrl off: then no page hears them.
root.dataset.singleKeys = /(^|; )keys=off/.test(document.cookie) ? "off" : "on";
for (const box of document.querySelectorAll("[data-keys-switch]")) box.checked = root.dataset.singleKeys === "on";
window.addEventListener("keydown", (event) => {
  const single = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (single && root.dataset.singleKeys === "off") event.stopImmediatePropagation();
}, true);

const typing = (node) => node.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (event.target.id === "search") event.target.blur();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
  if (event.key === "?" && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    document.getElementById("keys")?.showModal();
  }
});

document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = event.detail.target;
  if (dialog?.id === "dialog" && dialog.children.length && !dialog.open) dialog.showModal();
});

// What a person asked for and did not get is told each time; what a page asks for by itself, once until it comes again.
const asked = (event) => Boolean(event.detail.requestConfig?.triggeringEvent);
document.addEventListener("htmx:responseError", (event) => {
  if (asked(event)) say("That did not work: the server could not answer. Try again, or reload the page.");
  else say("The server cannot answer at the moment. This page catches up by itself.", true);
});
document.addEventListener("htmx:sendError", (event) => {
  if (asked(event)) say("No connection to the server. What you did last may not have been saved: try again.");
  else say("No connection to the server. This page catches up by itself when it is back.", true);
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) for (const toast of document.querySelectorAll(".toast[data-passing]")) toast.remove();
});

// A swap takes the focus from what it replaces. The same link or button in the new content gets it back, else the new
// content itself does. Turning a page leads to the top of the next one.
let held = null;
const alike = (one, other) => one.tagName === other.tagName && one.name === other.name && one.textContent.trim() === other.textContent.trim();

function landing(place) {
  if (place.hasAttribute("tabindex")) return place;
  if (held.closest(".pager")) return place.querySelector("[role=region][tabindex]");
  return [...place.querySelectorAll("a[href], button, input, summary")].find((each) => alike(each, held));
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const at = document.activeElement;
  held = event.detail.target.contains(at) ? at : null;
});
document.addEventListener("htmx:afterSettle", (event) => {
  const place = document.getElementById(event.detail.target?.id);
  if (!place) return;
  if (held && document.activeElement === document.body) {
    const spot = landing(place) ?? place;
    if (spot === place) place.tabIndex = -1;
    spot.focus({ preventScroll: true });
    if (held.closest(".pager")) place.scrollIntoView({ block: "start" });
  }
  held = null;
  announce(place, Boolean(event.detail.requestConfig?.triggeringEvent));
});

// What a swap changed is said to screen readers, from an element that was there before: once, unless a person asked.
function announce(place, asked) {
  const news = place.matches("[data-say]") ? place : place.querySelector("[data-say], .empty h2");
  const words = (news?.dataset.say || news?.textContent || "").replace(/\s+/g, " ").trim();
  const said = document.getElementById("said");
  if (!words || (said.textContent.trim() === words && !asked)) return;
  said.textContent = said.textContent === words ? `${words}\u00a0` : words;
}

// Only a script can show the keys: without one their buttons stay away.
function unhide() {
  for (const keys of document.querySelectorAll("[data-keys]")) keys.hidden = false;
}
document.addEventListener("htmx:afterSettle", unhide);
unhide();

function say(words, passing = false) {
  for (const before of document.querySelectorAll(".toast.error")) if (before.textContent.startsWith(words)) before.remove();
  const toast = document.createElement("div");
  toast.className = "toast error";
  toast.toggleAttribute("data-passing", passing);
  toast.setAttribute("role", "alert");
  const what = document.createElement("span");
  what.className = "what";
  what.textContent = words;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button quiet small";
  close.dataset.close = "";
  close.textContent = "Close";
  toast.append(what, close);
  document.getElementById("toasts").append(toast);
  settle(toast);
}

// A toast that asks nothing of anybody leaves by itself; one with an undo link stays for its window (undo.js).
function settle(toast) {
  for (const close of toast.querySelectorAll("[data-close]")) close.hidden = false;
  if (!toast.matches("[data-undo], .error")) setTimeout(() => toast.remove(), 8000);
}
for (const toast of document.querySelectorAll(".toast")) settle(toast);
new MutationObserver((records) => {
  for (const record of records) for (const node of record.addedNodes) if (node.matches?.(".toast")) settle(node);
}).observe(document.getElementById("toasts"), { childList: true });

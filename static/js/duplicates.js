// Keys for deciding about duplicates: j and k move, m merges, a keeps apart, s keeps the other one, u takes back.
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
const pairs = () => $$("[data-pair]");
const current = () => document.activeElement?.closest?.("[data-pair]");
const typing = (node) => node.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

function step(by) {
  const all = pairs();
  const at = all.indexOf(current());
  const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

function press(key) {
  if (key !== "u" && !current()) return step(1); // nothing is chosen yet: show what the next press would decide
  const own = current()?.querySelector(`[data-key="${key}"]`);
  const button = own ?? (key === "u" ? $$('[data-key="u"]').at(-1) : undefined);
  button?.click();
}

function swap() {
  const other = current()?.querySelector('input[name="keep"]:not(:checked)');
  if (other) other.checked = true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
  const act = { j: () => step(1), k: () => step(-1), m: () => press("m"), a: () => press("a"), u: () => press("u"), s: swap }[event.key];
  if (!act) return;
  event.preventDefault();
  // While an answer is on its way only moving is allowed: the pair is no longer open, and "u" would mean another one.
  if (!document.querySelector("[data-pair] .htmx-request") || "jk".includes(event.key)) act();
});

// What was decided stays in its place, to be taken back; the next question gets the focus in the same breath, not a
// settling delay later: a key pressed in between would fall on nothing. Who has gone on meanwhile stays there.
document.addEventListener("htmx:afterSwap", () => {
  const fresh = document.querySelector("[data-fresh]");
  if (!fresh) return;
  fresh.removeAttribute("data-fresh");
  if (document.activeElement !== document.body && !fresh.contains(document.activeElement)) return;
  const open = pairs().filter((pair) => pair.querySelector('[data-key="m"]'));
  const next = open.find((pair) => fresh.compareDocumentPosition(pair) & Node.DOCUMENT_POSITION_FOLLOWING);
  (fresh.querySelector('[data-key="m"]') ? fresh : (next ?? fresh)).focus({ preventScroll: false });
});

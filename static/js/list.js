// Keys for the list of prospects: j and k move, x ticks, Enter opens; shift and click ticks everybody between.
const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
const picks = () => $$("#rows [data-pick]");
const typing = (node) => node.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
let last = null;

const current = () => document.activeElement?.closest?.("#rows tbody tr");

function step(by) {
  const rows = $$("#rows tbody tr");
  const at = rows.indexOf(current());
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
  row?.querySelector("[data-pick]")?.focus({ preventScroll: true });
  row?.scrollIntoView({ block: "nearest" });
}

function count() {
  const ticked = picks().filter((pick) => pick.checked).length;
  const words = $("[data-picked]");
  if (words) words.textContent = ticked ? `${ticked} ticked` : "";
  const all = $("[data-pick-all]");
  if (all) {
    all.hidden = !$("[data-bulk]");
    all.checked = ticked > 0 && ticked === picks().length;
    all.indeterminate = ticked > 0 && !all.checked;
  }
}

// Only what the chosen action asks for stays on the form.
function fitting() {
  const kind = $("[data-kind]")?.value;
  for (const field of $$("#bulk-form [data-for]")) {
    field.hidden = !field.dataset.for.split(" ").includes(kind);
    const reason = $("#pb-reason", field);
    if (reason) reason.required = !field.hidden;
  }
}

// Forms beside the list speak of the filters that hold now, also after htmx has changed the rows alone.
function follow() {
  const now = $("#rows")?.dataset.now;
  if (now !== undefined) for (const field of $$("[data-query]")) field.value = now;
}

document.addEventListener("click", (event) => {
  const pick = event.target.closest?.("[data-pick]");
  if (pick) {
    const all = picks();
    if (event.shiftKey && last && all.includes(last)) {
      const [from, to] = [all.indexOf(last), all.indexOf(pick)].sort((a, b) => a - b);
      for (const between of all.slice(from, to + 1)) between.checked = pick.checked;
    }
    last = pick;
    count();
  } else if (event.target.matches?.("[data-pick-all]")) {
    for (const each of picks()) each.checked = event.target.checked;
    count();
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-kind]")) fitting();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
  const row = current();
  const act = {
    j: () => step(1),
    k: () => step(-1),
    x: () => row?.querySelector("[data-pick]")?.click(),
    Enter: row && event.target.matches("[data-pick]") ? () => row.querySelector("th a")?.click() : undefined,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

function ready() {
  count();
  fitting();
  follow();
}
document.addEventListener("htmx:afterSettle", ready);
ready();

// The desk's keyboard, the next dossier fetched ahead, undo countdowns, and sentences lit with their evidence.
const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
const KEEP = 45000;
const ahead = new Map();

// --- moving through the queue ---
const links = () => $$("#queue .queue-rows a");
const current = () => $("#dossier")?.dataset.request ?? "";

function mark(id) {
  for (const link of links()) {
    if (link.id === `open-${id}`) {
      link.setAttribute("aria-current", "true");
      link.scrollIntoView({ block: "nearest" });
    } else link.removeAttribute("aria-current");
  }
}

// While a decision is on its way nothing else begins: the next key would mean a dossier that nobody has seen yet. A
// dossier that is being fetched can be passed over, and is given up when something is decided about the one shown.
const deciding = () => Boolean($("[data-decide].htmx-request, [data-undo].htmx-request"));
const coming = () => $("#queue .queue-rows a.htmx-request");

function giveUp(selector) {
  if ($(selector)) htmx.trigger(selector, "htmx:abort");
}

function step(by) {
  const all = links();
  const at = coming() ? all.indexOf(coming()) : all.findIndex((link) => link.id === `open-${current()}`);
  const link = all[Math.min(all.length - 1, Math.max(0, at + by))];
  if (link?.id === `open-${current()}`) giveUp("#queue .queue-rows");
  else if (link && link !== coming()) open(link);
}

function open(link) {
  if (deciding() || !dropped()) return;
  const stored = ahead.get(link.href);
  if (stored && Date.now() - stored.at < KEEP) {
    ahead.delete(link.href);
    giveUp("#queue .queue-rows");
    htmx.swap("#dossier", stored.html, { swapStyle: "outerHTML" });
    history.replaceState(history.state, "", link.href);
    arrived();
  } else htmx.trigger(link, "click");
}

async function fetchAhead() {
  const all = links();
  const at = all.findIndex((link) => link.id === `open-${current()}`);
  const link = all[at + 1];
  if (!link || ahead.has(link.href)) return;
  const headers = { "HX-Request": "true", "HX-Target": "dossier" };
  const answer = await fetch(link.href, { headers, credentials: "same-origin" });
  if (answer.status === 200) ahead.set(link.href, { html: await answer.text(), at: Date.now() });
}

function arrived() {
  const id = current();
  mark(id);
  $(".desk")?.classList.toggle("reading", Boolean(id) && (matchMedia("(min-width: 1200px)").matches || location.pathname.includes(id)));
  window.scrollTo(0, 0);
  if ($("#refusal")) $("#refusal").focus();
  else if (document.activeElement === document.body) $("#dossier")?.focus({ preventScroll: true }); // it was on what went
  if (!id) return;
  note(id);
  setTimeout(() => fetchAhead().catch(() => {}), 150);
}

// Having had a dossier open is what approving several at once rests on. A GET never writes, so this is said apart.
function note(id) {
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  fetch(`/approvals/${id}/opened/`, { method: "POST", headers: { "X-CSRFToken": token }, credentials: "same-origin" }).catch(() => {});
}

// --- panels ---
// Words somebody changed go nowhere by themselves: not out in their old form, and not away unasked.
const edited = () => $$("#panel-edit :is(input, textarea):not([type=hidden])").some((field) => field.value !== field.defaultValue);

function dropped() {
  if (edited() && !confirm("Drop what you changed in these words?")) return false;
  asWritten();
  return true;
}

function asWritten() {
  $("#panel-edit")?.reset();
  $("#diff")?.replaceChildren();
}

addEventListener("beforeunload", (event) => {
  if (edited() && !deciding()) event.preventDefault();
});

function panel(name) {
  if (name !== "edit" && !dropped()) return;
  const left = name ? "" : document.activeElement.closest(".panel-form")?.id.replace("panel-", "");
  for (const form of $$(".panel-form")) form.hidden = form.id !== `panel-${name}`;
  const form = name && $(`#panel-${name}`);
  $("#decide [value=approve]").disabled = Boolean(form); // what it would approve is not what is being written
  if (form) (form.querySelector("textarea, input:not([type=hidden]):checked, input:not([type=hidden])") ?? form).focus();
  else if (left) $(`[data-panel="${left}"]`)?.focus(); // back to what opened it
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-panel]");
  if (opener) {
    event.preventDefault();
    panel(opener.dataset.panel);
  }
  if (event.target.closest("[data-panel-close]")) {
    event.preventDefault();
    asWritten();
    panel("");
  }
  const link = event.target.closest("#queue .queue-rows a");
  if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey && ahead.has(link.href)) {
    event.preventDefault();
    event.stopPropagation();
    open(link);
  }
}, true);

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  if (event.target.matches("[data-pick]")) bulk();
});

function bulk() {
  const button = $("[data-bulk-button]");
  const picked = $$("[data-pick]:checked").length;
  if (!button) return;
  button.hidden = picked === 0;
  button.textContent = picked ? `Approve ${picked} selected` : "Approve selected";
}

// --- keys ---
const typing = (node) => node.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && $(".panel-form:not([hidden])")) {
    panel("");
    return;
  }
  const form = event.key === "Enter" && event.target.closest?.(".panel-form");
  if (form && (event.ctrlKey || event.metaKey)) form.querySelector("[name=action]").click();
  else if (form && event.target.matches("#panel-edit input")) {
    event.preventDefault(); // Enter in the subject goes on to the words; it does not send them
    form.querySelector("textarea").focus();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
  const act = {
    j: () => step(1),
    k: () => step(-1),
    u: () => $("#undo form button")?.click(), // the newest stands first
    x: () => $(`#row-${current()} [data-pick]`)?.click(),
  }[event.key] ?? (() => $(`#decide [data-key="${CSS.escape(event.key)}"]`)?.click());
  if (event.key.length === 1 && !deciding() && (!coming() || "jk".includes(event.key))) act();
  if ("jkuxaerdb".includes(event.key) && event.key.length === 1) event.preventDefault();
});

// --- what htmx brings ---
document.addEventListener("htmx:confirm", (event) => {
  const leaves = event.detail.elt.matches("#queue .queue-rows a, [data-undo]");
  if (deciding() || (leaves && !dropped())) event.preventDefault();
});

let offered; // the undo that stood there before, which is no news

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.matches("[data-decide], [data-undo]")) {
    giveUp("#queue .queue-rows");
    giveUp("#poll"); // what it would bring was true before this
  }
  if (event.detail.elt.matches("[data-decide]")) {
    offered = $("#undo form")?.action;
    ahead.clear();
    $(`#row-${current()}`)?.classList.add("leaving");
  }
});

// The queue is drawn anew whenever somebody decides: what was ticked stays ticked, and how far it was scrolled.
let kept = null;
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (event.detail.target.id !== "queue") return;
  kept = { top: $("#queue .queue-rows")?.scrollTop ?? 0, ticked: $$("[data-pick]:checked").map((pick) => pick.value) };
});
document.addEventListener("htmx:oobAfterSwap", () => {
  if (!kept || !$("#queue .queue-rows")) return;
  for (const pick of $$("[data-pick]")) pick.checked = kept.ticked.includes(pick.value);
  $("#queue .queue-rows").scrollTop = kept.top;
  kept = null;
});
// A refusal comes back as a page like any other: whatever the new queue did not take away, stays. By now the form itself
// is gone from the page, and the event names what is left around it.
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.requestConfig?.elt.matches("[data-decide]")) return;
  $(".leaving")?.classList.remove("leaving");
  const offer = $("#undo form");
  if (offer && offer.action !== offered) $("#said").textContent = `${$(".what", offer).textContent.trim()}. U takes it back.`;
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id === "dossier") arrived(); // without a target it came from open(), which says so itself
  for (const hidden of $$("[data-hide]")) hidden.hidden = true;
  mark(current());
  bulk();
  tick();
});

// --- undo countdown ---
function tick() {
  for (const form of $$("[data-undo]")) {
    const left = Math.ceil((new Date(form.dataset.until) - Date.now()) / 1000);
    if (left <= 0) form.remove();
    else form.querySelector("[data-left]").textContent = `${left} s`;
  }
}
setInterval(tick, 1000);

// --- a sentence and the evidence under it light each other ---
function light(event, on) {
  const claim = event.target.closest?.("[data-rests-on]");
  const row = event.target.closest?.("[data-evidence]");
  if (claim) for (const no of claim.dataset.restsOn.split(" ")) for (const row of $$(`[data-evidence="${no}"]`)) row.classList.toggle("lit", on);
  if (row) for (const other of $$("[data-rests-on]")) if (other.dataset.restsOn.split(" ").includes(row.dataset.evidence)) other.classList.toggle("lit", on);
}
document.addEventListener("pointerover", (event) => light(event, true));
document.addEventListener("pointerout", (event) => light(event, false));
document.addEventListener("focusin", (event) => light(event, true));
document.addEventListener("focusout", (event) => light(event, false));

for (const hidden of $$("[data-hide]")) hidden.hidden = true;
bulk();
tick();
if (current()) {
  mark(current());
  note(current());
  setTimeout(() => fetchAhead().catch(() => {}), 300);
}

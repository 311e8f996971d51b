// A playbook draft in the admin: fields that follow a row's kind, totals as one types, places by button or by drag,
// and a row tried on a prospect without leaving the page. Everything here also works, a page load later, without it.

const LAYERS = ["firmographic", "behavioral", "psychologic", "investment"];
const number = (field) => Number.parseFloat(field?.value ?? "") || 0;
const shown = (value) => String(Math.round(value * 100) / 100);

// --- layer weights -------------------------------------------------------------------------------------------------

function layerTotal() {
  const output = document.querySelector("[data-weights-total]");
  const fields = LAYERS.map((layer) => document.getElementById(`id_weight_${layer}`));
  if (!output || fields.some((field) => !field)) return;
  const total = fields.reduce((sum, field) => sum + number(field), 0);
  output.textContent = total === 100 ? "They sum to 100." : `They sum to ${shown(total)} and need 100.`;
  output.classList.toggle("off", total !== 100);
}

// --- criteria by scorecard and layer -------------------------------------------------------------------------------

function rowsOf(group) {
  return [...group.querySelectorAll(".inline-related:not(.empty-form), tr.form-row:not(.empty-form)")];
}

function part(row, name) {
  return row.querySelector(`[name$="-${name}"]`);
}

function criteriaTotals() {
  const table = document.querySelector("[data-criteria-totals]");
  const group = document.getElementById("criteria-group");
  if (!table || !group) return;
  const cards = new Map();
  for (const row of rowsOf(group)) {
    if (part(row, "DELETE")?.checked || !part(row, "weight")) continue;
    const card = part(row, "scorecard").value || "icp";
    if (!cards.has(card)) cards.set(card, Object.fromEntries(LAYERS.map((layer) => [layer, 0])));
    const layer = part(row, "layer").value;
    if (layer in cards.get(card)) cards.get(card)[layer] += number(part(row, "weight"));
  }
  if (!cards.size) return;
  const cell = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  table.tBodies[0].replaceChildren(
    ...[...cards].map(([card, sums]) => {
      const row = document.createElement("tr");
      const head = cell("th", card);
      head.scope = "row";
      const all = LAYERS.reduce((sum, layer) => sum + sums[layer], 0);
      row.append(head, ...LAYERS.map((layer) => cell("td", shown(sums[layer]))), cell("td", shown(all)));
      return row;
    }),
  );
}

// --- fields that follow the kind -----------------------------------------------------------------------------------

function followKind(select) {
  const base = select.name.replace(/kind$/, "params");
  const box = select.closest(".inline-related")?.querySelector("[data-params]");
  if (!box) return;
  const pattern = document.querySelector(
    `template[data-params-pattern="${box.dataset.params}"][data-kind="${CSS.escape(select.value)}"]`,
  );
  if (!pattern) return;
  const kept = new Map([...box.querySelectorAll("[name]")].map((field) => [field.name, field.value]));
  const fresh = pattern.content.firstElementChild.cloneNode(true);
  for (const element of fresh.querySelectorAll("[name], [id], [for], [aria-describedby]")) {
    for (const name of ["name", "id", "for", "aria-describedby"]) {
      const value = element.getAttribute(name);
      if (value) element.setAttribute(name, value.replace("__name__", base));
    }
    if (kept.has(element.name)) element.value = kept.get(element.name);
  }
  box.replaceWith(fresh);
}

// A row of values is added as soon as the last one is used.
function spareRow(field) {
  const body = field.closest(".pairs tbody");
  if (!body || !body.lastElementChild.contains(field) || field.value === "") return;
  const fresh = body.lastElementChild.cloneNode(true);
  const index = body.children.length;
  for (const input of fresh.querySelectorAll("input")) {
    input.name = input.name.replace(/-\d+-([01])$/, `-${index}-$1`);
    input.setAttribute("aria-label", input.getAttribute("aria-label").replace(/\d+$/, String(index + 1)));
    input.value = "";
  }
  body.append(fresh);
}

// A trigger shows what its kind watches; whatever is filled in stays in sight.
const WATCHED = { event: ["signal_kind"], schedule: ["cron"], threshold: ["metric", "comparison", "value"] };

function followTrigger(row) {
  const kind = part(row, "kind")?.value;
  for (const [needed, names] of Object.entries(WATCHED)) {
    for (const name of names) {
      const line = row.querySelector(`.form-row.field-${name}`);
      const isFilled = names.some((each) => each !== "comparison" && part(row, each)?.value);
      if (line) line.hidden = Boolean(kind) && kind !== needed && !isFilled;
    }
  }
}

// A stage rule offers the stages of its pipeline.
function followPipeline(row) {
  const pipeline = part(row, "pipeline")?.value ?? "";
  for (const name of ["from_stage", "to_stage"]) {
    for (const group of part(row, name)?.querySelectorAll("optgroup") ?? []) {
      const isMine = group.label.toLowerCase() === pipeline;
      group.hidden = !isMine;
      group.disabled = !isMine && !group.querySelector(":checked");
    }
  }
}

// Points for what is unknown, and the value of a deal, are asked for only where they are read.
const ASKED_WITH = [["missing_value", "missing", "value"], ["confirm_from_value", "pipeline", "deal"]];

function followChoice(row) {
  for (const [name, on, value] of ASKED_WITH) {
    const box = part(row, on) && part(row, name)?.closest(".form-multiline > div");
    if (box) box.hidden = part(row, on).value !== value && part(row, name).value === "";
  }
}

// --- places --------------------------------------------------------------------------------------------------------

function renumber(group) {
  rowsOf(group).forEach((row, index) => {
    const place = part(row, "position");
    if (place) place.value = String(index);
  });
}

function move(row, step) {
  const group = row.closest(".inline-group");
  const rows = rowsOf(group);
  const other = rows[rows.indexOf(row) + step];
  if (!other) return;
  if (step < 0) other.before(row);
  else other.after(row);
  renumber(group);
  row.dispatchEvent(new CustomEvent("rows:moved", { bubbles: true }));
}

function placeButtons(row) {
  if (!part(row, "position") || row.querySelector(".place-buttons")) return;
  const label = row.querySelector(".inline_label, .original p")?.textContent.trim() || "this row";
  const box = Object.assign(document.createElement("span"), { className: "place-buttons" });
  for (const [step, sign, words] of [[-1, "↑", "up"], [1, "↓", "down"]]) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: sign });
    button.setAttribute("aria-label", `Move ${words}: ${label}`);
    button.addEventListener("click", () => {
      move(row, step);
      button.focus();
    });
    box.append(button);
  }
  const grip = Object.assign(document.createElement("span"), { className: "grip", textContent: "⠿", draggable: true });
  grip.setAttribute("aria-hidden", "true");
  grip.title = "Drag to another place";
  grip.addEventListener("dragstart", (event) => {
    dragged = row;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setDragImage(row, 0, 0);
    row.classList.add("dragged");
  });
  grip.addEventListener("dragend", () => {
    row.classList.remove("dragged");
    renumber(row.closest(".inline-group"));
    row.dispatchEvent(new CustomEvent("rows:moved", { bubbles: true }));
    dragged = null;
  });
  box.append(grip);
  const head = row.querySelector("h3") ?? part(row, "position").parentElement;
  head.append(box);
}

let dragged = null;

function dragOver(event) {
  if (!dragged) return;
  const row = event.target.closest(".inline-related:not(.empty-form), tr.form-row:not(.empty-form)");
  if (!row || row === dragged || row.closest(".inline-group") !== dragged.closest(".inline-group")) return;
  event.preventDefault();
  const box = row.getBoundingClientRect();
  if (event.clientY < box.top + box.height / 2) row.before(dragged);
  else row.after(dragged);
}

// --- trying a row on a prospect ------------------------------------------------------------------------------------

// Who stands behind the id in the field.
function tryWho(field) {
  const known = [...field.list.options].find((option) => option.value === field.value);
  document.querySelector("[data-try-who]").textContent = known?.text ?? "";
}

async function tryRow(button) {
  const answer = button.closest(".try").querySelector(".try-answer");
  const data = new FormData(button.form);
  data.append(button.name, button.value);
  answer.setAttribute("aria-busy", "true");
  try {
    const found = await fetch(button.formAction, { method: "POST", body: data, headers: { "X-Part": "try" } });
    if (!found.ok) throw new Error(String(found.status));
    // Our own page, rendered with every value escaped.
    answer.innerHTML = await found.text();
  } catch {
    answer.textContent = "That could not be tried just now. Please try again.";
  }
  answer.removeAttribute("aria-busy");
}

// --- what is not saved yet, and where a link leads ---------------------------------------------------------------------

// Leaving with changes asks first: the links to what-if and publish stand on the same page, and look at what is saved.
function watchUnsaved(form) {
  const row = form.querySelector(".submit-row");
  const words = Object.assign(document.createElement("span"), { className: "unsaved" });
  words.setAttribute("role", "status");
  row?.append(words);
  let unsaved = form.querySelector(".still-open.refused, .errornote") !== null;
  const note = () => {
    words.textContent = unsaved ? "Not saved yet." : "";
  };
  const changed = (event) => {
    if (event.target.name === "try_on") return;
    unsaved = true;
    note();
  };
  for (const kind of ["input", "change"]) form.addEventListener(kind, changed);
  for (const kind of ["formset:added", "formset:removed", "rows:moved"]) document.addEventListener(kind, changed);
  form.addEventListener("submit", (event) => {
    unsaved = event.submitter?.name?.startsWith("try:") ? unsaved : false;
  });
  window.addEventListener("beforeunload", (event) => unsaved && event.preventDefault());
  note();
}

// A link to a part, or to a row with something open, opens what is folded there and brings the focus along.
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  const own = target.querySelector("details");
  if (own && target.matches(".inline-group, .inline-related")) own.open = true;
  target.scrollIntoView();
  if (target.matches("input, select, textarea")) target.focus();
}

// --- wiring --------------------------------------------------------------------------------------------------------

function dress(row) {
  placeButtons(row);
  followChoice(row);
  if (row.closest("#triggers-group")) followTrigger(row);
  if (row.closest("#stage_rules-group")) followPipeline(row);
}

function start() {
  const form = document.getElementById("playbookversion_form");
  if (!form || !document.getElementById("criteria-group")) return;
  document.documentElement.classList.add("has-script");
  for (const group of form.querySelectorAll(".inline-group")) rowsOf(group).forEach(dress);
  form.addEventListener("input", (event) => {
    if (event.target.id?.startsWith("id_weight_")) layerTotal();
    if (event.target.closest("#criteria-group")) criteriaTotals();
    if (event.target.closest(".pairs")) spareRow(event.target);
    if (event.target.id === "id_try_on") tryWho(event.target);
  });
  form.addEventListener("change", (event) => {
    const row = event.target.closest(".inline-related");
    if (row && event.target.name?.endsWith("-kind")) {
      if (row.closest("#triggers-group")) followTrigger(row);
      else followKind(event.target);
    }
    if (row && event.target.name?.endsWith("-pipeline")) followPipeline(row);
    if (row) followChoice(row);
    criteriaTotals();
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name^='try:']");
    if (!button) return;
    event.preventDefault();
    tryRow(button);
  });
  form.addEventListener("dragover", dragOver);
  form.addEventListener("drop", (event) => dragged && event.preventDefault());
  document.addEventListener("formset:added", (event) => {
    const row = event.target;
    dress(row);
    const place = part(row, "position");
    if (place) place.value = String(rowsOf(row.closest(".inline-group")).length - 1);
  });
  document.addEventListener("formset:removed", criteriaTotals);
  layerTotal();
  criteriaTotals();
  watchUnsaved(form);
  openTarget();
  window.addEventListener("hashchange", openTarget);
  form.addEventListener("click", (event) => event.target.closest("a[href='" + location.hash + "']") && openTarget());
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();

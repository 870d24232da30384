"use strict";
// The bar: filters, what is selected in words with links to its runs, and the page's colours.
const LINKED = 5;
const words = document.getElementById("selection");
const runs = document.getElementById("runs");
const clear = document.getElementById("clear");

function tell() {
  const selected = model.selection(), shown = model.shown().length, all = model.trials.size;
  const of = shown < all ? `${shown} trials shown of ${all}` : `${all} ${all === 1 ? "trial" : "trials"}`;
  words.textContent = selected.length ? `${selected.length} of ${of} selected` : `${of}, none selected`;
  clear.hidden = !selected.length;
  runs.replaceChildren(...(selected.length <= LINKED ? selected.map(link) : []));
}

function link(id) {
  const url = model.trials.get(id).url;
  const element = document.createElement(url ? "a" : "span");
  element.textContent = id;
  if (url) Object.assign(element, {href: url, target: "_blank", rel: "noopener", title: `The MLflow run of trial ${id}`});
  return element;
}

function dress() {
  const theme = document.getElementById("theme").value;
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  refresh();
}

clear.addEventListener("click", () => {
  model.select([]);
  words.focus();
});
document.querySelectorAll("input[data-filter]").forEach((box) => {
  box.checked = true;
  box.addEventListener("change", () => model.show(box.dataset.filter, box.value, box.checked));
});
document.getElementById("theme").addEventListener("change", dress);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => refresh());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && model.selection().length) model.select([]);
});
document.getElementById("sections").append(...Array.from(document.querySelectorAll("h2"), (heading) => {
  return Object.assign(document.createElement("a"), {href: `#${heading.id}`, textContent: heading.textContent});
}));
model.follow(tell);
tell();

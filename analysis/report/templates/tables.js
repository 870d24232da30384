"use strict";
// Tables of trials: sorted by a column, rows selected by mouse or keyboard, rows that are filtered out hidden.
function sortKey(row, column) {
  const text = row.cells[column].textContent.trim();
  const match = text.match(/^(-?[\d.]+(?:e[-+]?\d+)?)(?:\/255)?(?: ([kMGTP])\b)?/);
  const unit = {k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15};
  return match ? [0, Number(match[1]) * (unit[match[2]] || 1), ""] : [text === "–" ? 2 : 1, 0, text];
}

function sortBy(header) {
  const table = header.closest("table"), body = table.tBodies[0];
  const column = header.cellIndex;
  const sign = header.getAttribute("aria-sort") === "descending" ? 1 : -1;
  const rows = Array.from(body.rows).map((row) => [sortKey(row, column), row]);
  rows.sort(([a], [b]) => a[0] - b[0] || sign * (a[1] - b[1] || a[2].localeCompare(b[2])));
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
  body.append(...rows.map(([, row]) => row));
}

const idsOf = (row) => row.dataset.trials.split(" ").filter(Boolean);
const onlySelected = (table) => table.classList.contains("only");
const rowsShown = (table) => Array.from(table.tBodies[0].rows).filter((row) => {
  return !row.hidden && (!onlySelected(table) || row.ariaSelected === "true");
});

// Of all rows of a table one is reached with Tab, and its link next; the arrows go on from there.
function reachOnly(row) {
  row.parentElement.querySelectorAll("tr[tabindex='0']").forEach((other) => reach(other, -1));
  reach(row, 0);
}

function reach(row, index) {
  row.tabIndex = index;
  row.querySelectorAll("a").forEach((link) => (link.tabIndex = index));
}

function keepReach(table) {
  const rows = rowsShown(table);
  if (rows.length && !rows.some((row) => row.tabIndex === 0)) reachOnly(rows[0]);
}

function pressed(event) {
  const row = event.target;
  if (!row.matches("tr[data-trials]")) return;
  const rows = rowsShown(row.closest("table"));
  const place = rows.indexOf(row);
  const goal = {ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1}[event.key];
  if (goal !== undefined) {
    if (!rows[goal]) return;
    reachOnly(rows[goal]);
    rows[goal].focus();
  } else if (event.key === "Enter" || event.key === " ") {
    model.toggle(idsOf(row));
  } else {
    return;
  }
  event.preventDefault();
}

const grids = Array.from(document.querySelectorAll("table[role=grid]"), (table) => {
  const rows = Array.from(table.tBodies[0].rows);
  rows.forEach((row) => reach(row, -1));
  keepReach(table);
  table.addEventListener("keydown", pressed);
  table.tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!event.target.closest("a") && getSelection().isCollapsed) model.toggle(idsOf(row), row);
  });
  return {table, rows};
});

function followTable({table, rows}, source) {
  for (const row of rows) {
    const ids = idsOf(row);
    const selected = ids.some(model.isSelected);
    if (row.ariaSelected !== String(selected)) row.ariaSelected = String(selected);
    row.hidden = ids.length > 0 && !ids.some(model.isShown);
  }
  keepReach(table);
  const first = rowsShown(table).find((row) => row.ariaSelected === "true");
  const frame = table.closest(".scroll");
  if (first && !frame.contains(document.activeElement) && !rows.includes(source)) {
    frame.scrollTop = first.offsetTop - table.tHead.offsetHeight;
  }
}

document.querySelectorAll(".sortable thead th").forEach((header) => {
  header.querySelector("button").addEventListener("click", () => sortBy(header));
});
document.querySelectorAll("input[data-only]").forEach((box) => {
  const table = document.getElementById(box.dataset.only);
  box.checked = false;
  box.addEventListener("change", () => {
    table.classList.toggle("only", box.checked);
    keepReach(table);
  });
});
model.follow((source) => grids.forEach((grid) => followTable(grid, source)));

"use strict";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const controls = {
  responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["lasso2d", "select2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
};
const plots = Array.from(document.querySelectorAll(".figure"));

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function themed(layout) {
  const changes = {
    "font.color": colour("--ink"), "paper_bgcolor": colour("--page"), "plot_bgcolor": colour("--page"),
    "hoverlabel.bgcolor": colour("--panel"), "hoverlabel.bordercolor": colour("--line"),
    "hoverlabel.font.color": colour("--ink"),
  };
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis\d*$/.test(key)) {
      changes[key + ".gridcolor"] = colour("--line");
      changes[key + ".linecolor"] = colour("--line");
    }
  }
  if (layout.updatemenus) {
    changes["updatemenus[0].bgcolor"] = colour("--panel");
    changes["updatemenus[0].bordercolor"] = colour("--line");
  }
  return changes;
}

function paint(plot) {
  Plotly.relayout(plot, themed(plot.layout));
  plot.data.forEach((trace, index) => {
    if (trace.meta && trace.meta.ink) Plotly.restyle(plot, {[trace.meta.ink]: colour("--ink")}, [index]);
  });
}

function openRun(event) {
  const url = event.points[0].customdata;
  if (typeof url === "string" && /^https?:\/\//.test(url)) window.open(url, "_blank", "noopener");
}

async function draw(plot) {
  const figure = JSON.parse(document.getElementById(plot.id.replace("figure-", "data-")).textContent);
  await Plotly.newPlot(plot, figure.data, figure.layout, controls);
  paint(plot);
  plot.on("plotly_click", openRun);
}

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

plots.forEach(draw);
dark.addEventListener("change", () => plots.forEach(paint));
for (const moment of ["beforeprint", "afterprint"]) {
  window.addEventListener(moment, () => plots.forEach((plot) => { Plotly.Plots.resize(plot); paint(plot); }));
}
document.querySelectorAll(".sortable thead th").forEach((header) => {
  header.querySelector("button").addEventListener("click", () => sortBy(header));
});

"use strict";
// Draws figures when they come into sight, in the page's colours, and brings them up to date with the model.
const NARROW = 700;
const PRINTED = 960;
const KEY = 50; // pixels of a legend before its names
const LETTER = 6.3; // pixels of a letter of a name, on average
const STOPS = 11; // of the scale of colours
const BLANK = 4; // pixels of a label's box beneath its digits
const plots = Array.from(document.querySelectorAll(".figure"));
const config = {
  responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["zoomIn2d", "zoomOut2d", "autoScale2d"],
};
const probe = document.body.appendChild(document.createElement("span"));
probe.hidden = true;

function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function themed(layout) {
  const changes = {
    "font.color": "--ink", "paper_bgcolor": "--page", "plot_bgcolor": "--page", "hoverlabel.bgcolor": "--panel",
    "hoverlabel.bordercolor": "--line", "hoverlabel.font.color": "--ink", "modebar.color": "--soft",
    "modebar.activecolor": "--ink", "newselection.line.color": "--ink",
  };
  for (const key of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
    changes[`${key}.gridcolor`] = changes[`${key}.linecolor`] = "--line";
  }
  for (const key of Object.keys(layout).filter((name) => /^coloraxis\d*$/.test(name))) layout[key].colorscale = scale();
  for (const [path, name] of Object.entries(changes)) {
    const keys = path.split("."), last = keys.pop();
    keys.reduce((found, key) => (found[key] ??= {}), layout)[last] = colour(name);
  }
  return layout;
}

function scale() {
  return Array.from({length: STOPS}, (_, stop) => [stop / (STOPS - 1), colour(`--scale-${stop}`)]);
}

function inked(trace) {
  if (trace.line?.colorscale) return having(trace, ["line", "colorscale"], scale());
  return trace.meta?.ink ? having(trace, trace.meta.ink.split("."), colour("--ink")) : trace;
}

// The name in lines that a legend beneath its plot has room for.
function fitting(trace, width, {l, r}) {
  const most = (width - l - r - KEY) / LETTER;
  const broken = (lines, word) => {
    const last = lines.at(-1);
    return last && last.length + word.length < most ? [...lines.slice(0, -1), `${last} ${word}`] : [...lines, word];
  };
  return trace.name ? {...trace, name: trace.name.split(" ").reduce(broken, []).join("<br>")} : trace;
}

// Reading the library takes longer than all the rest of the page: not before a figure is wanted.
function needLibrary() {
  if (window.Plotly) return;
  const script = document.createElement("script");
  script.textContent = document.getElementById("plotly").textContent;
  document.head.append(script);
}

function load(plot) {
  const figure = unpacked(JSON.parse(document.getElementById(plot.id.replace("figure-", "data-")).textContent));
  plot.base = figure.data.map(withTexts);
  Object.assign(plot, {views: figure.views, view: 0});
  plot.baseOwners = plot.base.map(ownersOf);
  plot.brushed = plot.base.some((trace) => trace.ids && trace.type !== "parcoords");
  if (plot.brushed) figure.layout.dragmode = window.innerWidth < NARROW ? false : "select";
  return figure.layout;
}

async function draw(plot, source) {
  plot.stale = plot.busy;
  if (plot.busy) return;
  plot.busy = true;
  await redraw(plot, source).finally(() => (plot.busy = false));
  plot.dataset.drawn = "";
  if (plot.stale && plot.near) draw(plot);
}

async function redraw(plot, source) {
  needLibrary();
  const fresh = !plot.base;
  const layout = fresh ? load(plot) : plot.layout;
  const pairs = plot.base.flatMap((trace, index) => {
    const visible = fresh ? trace.visible : plot.data[index].visible;
    return [followed({...trace, visible}, plot.baseOwners[index], plot.base, source === plot)];
  });
  const drawn = [...pairs.map((found) => found[0]), ...pairs.flatMap((found) => found.slice(1))];
  plot.owners = drawn.map(([, owners]) => owners);
  if (source !== plot && layout.selections) layout.selections = [];
  sized(plot, layout);
  const named = drawn.map(([trace]) => fitting(inked(trace), layout.width ?? plot.clientWidth, layout.margin));
  await Plotly.react(plot, named, themed(layout), config);
  if (fresh) {
    listen(plot);
    thin(plot);
  }
  await see(plot);
}

function chosenView(plot) {
  return document.querySelector(`select[data-view="${plot.id.replace("figure-", "")}"]`)?.selectedIndex ?? 0;
}

// Of its views the one that is chosen beside it.
async function see(plot) {
  const wanted = chosenView(plot);
  if (wanted === plot.view) return;
  plot.view = wanted;
  const {visible, layout} = plot.views[wanted];
  await Plotly.update(plot, visible.length ? {visible} : {}, layout);
}

function sized(plot, layout) {
  const share = plot.clientWidth / plot.closest("section").clientWidth;
  if ("printed" in document.documentElement.dataset) layout.width = PRINTED * Math.min(1, share);
  else delete layout.width;
  layout.autosize = true;
}

function idsAt(plot, points) {
  return points.flatMap((point) => plot.owners[point.curveNumber]?.[point.pointNumber] ?? []);
}

// Of labels that lie over each other the first is shown: how wide a plot is, and what part of it is seen, is known here alone.
function thin(plot) {
  const shown = [];
  for (const label of plot.querySelectorAll(".textpoint text")) {
    const {left, right, top, bottom} = label.getBoundingClientRect();
    const free = shown.every((other) =>
      right < other.left || left > other.right || bottom - BLANK < other.top || top > other.bottom - BLANK);
    label.style.visibility = free ? "" : "hidden";
    if (free) shown.push({left, right, top, bottom});
  }
}

function listen(plot) {
  plot.on("plotly_afterplot", () => thin(plot));
  plot.on("plotly_selected", (event) => {
    if (event?.points) model.select(idsAt(plot, event.points), plot);
  });
  plot.on("plotly_deselect", () => model.select([]));
  plot.on("plotly_click", (event) => clicked(idsAt(plot, event.points.slice(0, 1)), event.event));
  plot.on("plotly_restyle", ([changes]) => {
    if (Object.keys(changes).some((key) => key.includes("constraintrange"))) model.select(constrained(plot), plot);
  });
}

function clicked(ids, event) {
  const url = model.trials.get(ids[0])?.url;
  if (event?.ctrlKey || event?.metaKey) {
    if (url) window.open(url, "_blank", "noopener");
  } else if (event?.shiftKey) {
    model.toggle(ids);
  } else if (ids.length) {
    const alone = model.selection().length === ids.length && ids.every(model.isSelected);
    model.select(alone ? [] : ids);
  }
}

// The trials within every range that was drawn along an axis; none where there is no range.
function constrained(plot) {
  const index = plot.data.findIndex((trace) => trace.type === "parcoords" && trace.visible !== false);
  const axes = plot.data[index].dimensions.filter((one) => one.constraintrange);
  if (!axes.length) return [];
  const within = (one, place) => {
    const ranges = Array.isArray(one.constraintrange[0]) ? one.constraintrange : [one.constraintrange];
    return ranges.some(([low, high]) => one.values[place] >= low && one.values[place] <= high);
  };
  return plot.owners[index].filter((_, place) => axes.every((one) => within(one, place))).flat();
}

const sight = new IntersectionObserver((entries) => {
  for (const {target, isIntersecting} of entries) {
    target.near = isIntersecting;
    if (isIntersecting && (!target.base || target.stale)) draw(target);
  }
}, {rootMargin: "300px"});

function refresh(source) {
  plots.forEach((plot) => {
    plot.stale = true;
    if (plot.near) draw(plot, source);
  });
}

document.querySelectorAll("select[data-view]").forEach((select) => {
  const plot = document.getElementById(`figure-${select.dataset.view}`);
  select.selectedIndex = 0;
  select.addEventListener("change", () => plot.base && draw(plot));
});
plots.forEach((plot) => sight.observe(plot));
model.follow((source) => requestAnimationFrame(() => refresh(source)));

window.addEventListener("beforeprint", () => {
  document.documentElement.dataset.printed = document.documentElement.dataset.theme ?? "";
  document.documentElement.dataset.theme = "light";
  plots.filter((plot) => plot.offsetParent).forEach((plot) => draw(plot));
});
window.addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = document.documentElement.dataset.printed;
  delete document.documentElement.dataset.printed;
  refresh();
});

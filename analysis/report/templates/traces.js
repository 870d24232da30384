"use strict";
// A figure's traces as the model would have them. Figures come with the trials of their points: `ids` of marks and of
// lines through coordinates (several, with spaces between, where a mark stands for several), numbers in `customdata`
// where `meta.lines` is set. Where `meta.after` is set, a mark says its trial's text and that.
const PER_POINT = [
  "x", "y", "ids", "text", "textposition", "hovertext", "customdata", "marker.color", "marker.size", "marker.symbol",
  "marker.line.width", "error_x.array", "error_x.arrayminus", "error_y.array", "error_y.arrayminus", "line.color",
].map((path) => path.split("."));
const ARRAYS = {
  f8: Float64Array, f4: Float32Array, i4: Int32Array, u4: Uint32Array, i2: Int16Array, u2: Uint16Array, i1: Int8Array,
  u1: Uint8Array,
};
const FAINT = {marker: {opacity: 0.1}, textfont: {color: "rgba(0, 0, 0, 0)"}};
const FIRM = {marker: {opacity: 1}};

const columns = JSON.parse(document.getElementById("columns").textContent);
const unpackedColumns = [];

function column(place) {
  return (unpackedColumns[place] ??= unpacked(columns[place]));
}

function unpacked(value) {
  if (Array.isArray(value)) return value.map(unpacked);
  if (value === null || typeof value !== "object") return value;
  if ("shared" in value) return column(value.shared);
  if ("bdata" in value) {
    const bytes = Uint8Array.from(atob(value.bdata), (letter) => letter.charCodeAt(0));
    return Array.from(new ARRAYS[value.dtype](bytes.buffer));
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpacked(item)]));
}

function at(object, path) {
  return path.reduce((found, key) => (found == null ? undefined : found[key]), object);
}

function having(object, [key, ...rest], value) {
  return {...object, [key]: rest.length ? having(object[key] ?? {}, rest, value) : value};
}

function ownersOf(trace) {
  if (trace.ids) return trace.ids.map((id) => id.split(" "));
  return trace.meta?.lines ? trace.customdata.map((number) => [String(number).padStart(4, "0")]) : null;
}

function withTexts(trace) {
  const after = trace.meta?.after;
  if (!after) return trace;
  return {...trace, hovertext: trace.ids.map((id, place) => model.trials.get(id).text + (after[place] ?? ""))};
}

function sliced(trace, kept) {
  const take = (values) => kept.map((place) => values[place]);
  let result = trace;
  for (const path of PER_POINT) {
    const values = at(trace, path);
    if (Array.isArray(values)) result = having(result, path, take(values));
  }
  if (trace.dimensions) {
    result = {...result, dimensions: trace.dimensions.map((one) => ({...one, values: take(one.values)}))};
  }
  return result;
}

function places(owners, holds) {
  return owners.flatMap((ids, place) => (ids.some(holds) ? [place] : []));
}

function panelShown(trace, base) {
  const trainables = [...new Set(model.shown().map((id) => model.trials.get(id).trainable))];
  const panels = base.map((other) => other.meta?.panel);
  const wanted = trainables.length === 1 && panels.includes(trainables[0]) ? trainables[0] : panels[0];
  return trace.meta.panel === wanted;
}

function withSelectionAxis(trace, owners) {
  const values = owners.map((ids) => (ids.some(model.isSelected) ? 1 : 0));
  const axis = {
    label: "selected", values, range: [-0.15, 1.15], tickvals: [0, 1], ticktext: ["no", "yes"],
    constraintrange: [0.5, 1.15],
  };
  return {...trace, dimensions: [axis, ...trace.dimensions]};
}

function distinguished(trace, chosen) {
  const firm = new Set(chosen);
  let result = {...trace, selectedpoints: chosen, selected: FIRM, unselected: FAINT};
  for (const path of PER_POINT.filter(([first]) => first.startsWith("error_"))) {
    const ends = at(trace, path);
    if (ends) result = having(result, path, ends.map((value, place) => (firm.has(place) ? value : null)));
  }
  return result;
}

// [[trace, owners], ...]: the trace with what is shown, the selection marked in it or laid over it.
function followed(trace, owners, base, own) {
  if (!owners) return [[trace, null]];
  if (trace.meta?.panel) trace = {...trace, visible: panelShown(trace, base)};
  const kept = places(owners, model.isShown);
  if (kept.length < owners.length) {
    trace = sliced(trace, kept);
    owners = kept.map((place) => owners[place]);
  }
  const chosen = places(owners, model.isSelected);
  if (!model.selection().length) return [[trace, owners]];
  if (trace.type === "parcoords") return [[own ? trace : withSelectionAxis(trace, owners), owners]];
  if (!trace.meta?.lines) return [[distinguished(trace, chosen), owners]];
  const over = {...sliced(trace, chosen), showlegend: false, opacity: 1};
  over.line = {...trace.line, width: 2.5, color: trace.opacity < 1 ? colour("--mark") : trace.line.color};
  return [[{...trace, opacity: 0.12}, owners], [over, chosen.map((place) => owners[place])]];
}

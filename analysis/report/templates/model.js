"use strict";
// Which trials are selected and which are shown. Views read it and follow it; none knows another.
const model = (() => {
  const trials = new Map(Object.entries(JSON.parse(document.getElementById("study-data").textContent)));
  const followers = [];
  const barred = {trainable: new Set(), data: new Set()};
  let selected = new Set();

  const isShown = (id) => trials.has(id) && Object.keys(barred).every((key) => !barred[key].has(trials.get(id)[key]));
  const changed = (source) => followers.forEach((follow) => follow(source));
  const known = (ids) => ids.filter((id) => isShown(id));

  return {
    trials,
    isShown,
    isSelected: (id) => selected.has(id),
    selection: () => [...trials.keys()].filter((id) => selected.has(id)),
    shown: () => [...trials.keys()].filter(isShown),
    follow: (follower) => followers.push(follower),
    select(ids, source) {
      selected = new Set(known(ids));
      changed(source);
    },
    toggle(ids, source) {
      const all = ids.every((id) => selected.has(id));
      known(ids).forEach((id) => (all ? selected.delete(id) : selected.add(id)));
      changed(source);
    },
    show(key, value, on) {
      barred[key][on ? "delete" : "add"](value);
      selected = new Set([...selected].filter(isShown));
      changed();
    },
  };
})();

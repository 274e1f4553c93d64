"use strict";
(() => {
  const form = document.getElementById("controls");
  const list = document.getElementById("cards");
  const cards = [...list.children].map((node, place) => ({
    node,
    place,
    data: node.dataset,
    values: JSON.parse(node.dataset.values),
  }));
  const sort = document.getElementById("sort");
  const turn = document.getElementById("turn");
  const open = document.getElementById("open");
  const told = document.getElementById("told");

  const named = (a, b) => a.data.name.localeCompare(b.data.name, "en", { numeric: true }) || a.place - b.place;

  // A case without the value stands last, whichever way the others run.
  function order(a, b) {
    const key = sort.value;
    const sign = turn.checked ? -1 : 1;
    if (key === "name") return sign * named(a, b);
    if (key === "rank") return sign * (a.data.rank - b.data.rank) || named(a, b);
    if (key === "warnings") return sign * (b.data.warnings - a.data.warnings) || named(a, b);
    const has = [key in a.values, key in b.values];
    if (has[0] !== has[1]) return has[0] ? -1 : 1;
    return (has[0] && sign * (a.values[key] - b.values[key])) || named(a, b);
  }

  function show() {
    const state = form.elements.state.value;
    let count = 0;
    for (const { node, data } of [...cards].sort(order)) {
      node.hidden = (state && data.state !== state) || (open.checked && data.reviewed === "yes");
      count += node.hidden ? 0 : 1;
      list.append(node);
    }
    told.textContent = `${count} of ${cards.length} cases shown`;
  }

  form.hidden = false;
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();

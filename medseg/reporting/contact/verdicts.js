"use strict";
// Accept, fix or reject each case by a key or a button; what was said is saved as a file, and read from one again.
(() => {
  const form = document.getElementById("controls");
  const list = document.getElementById("cards");
  const words = { a: "accept", f: "fix", r: "reject" };
  const cards = [...list.children].filter((node) => node.dataset.digest);
  const said = new Map();
  let changed = false;
  if (!cards.length) return;

  const make = (name, parent, fill) => Object.assign(parent.appendChild(document.createElement(name)), fill);
  const visible = () => [...list.children].filter((node) => cards.includes(node) && !node.hidden);

  function mark(card) {
    const verdict = said.get(card);
    if (verdict) card.dataset.verdict = verdict;
    else delete card.dataset.verdict;
    for (const button of card.querySelectorAll(".verdict button")) {
      button.setAttribute("aria-pressed", String(button.dataset.word === verdict));
    }
  }

  function tell() {
    const counts = Object.values(words).map((word) => `${[...said.values()].filter((it) => it === word).length} ${word}`);
    count.textContent = `${counts.join(", ")}, ${cards.length - said.size} open${changed ? "; not saved" : ""}`;
  }

  function say(card, verdict) {
    if (verdict && said.get(card) !== verdict) said.set(card, verdict);
    else said.delete(card);
    changed = true;
    mark(card);
    tell();
  }

  function step(card, by) {
    const shown = visible();
    const next = shown[shown.indexOf(card) + by];
    if (next) next.focus();
  }

  for (const card of cards) {
    card.tabIndex = 0;
    card.setAttribute("aria-label", card.dataset.name);
    const row = make("p", card, { className: "verdict" });
    for (const [key, word] of Object.entries(words)) {
      const button = make("button", row, { type: "button", textContent: `${word} (${key})` });
      button.dataset.word = word;
      button.addEventListener("click", () => say(card, word));
    }
    card.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (words[event.key]) {
        say(card, said.get(card) === words[event.key] ? null : words[event.key]);
        step(card, 1);
      } else if (event.key === "ArrowRight" || event.key === "ArrowDown") step(card, 1);
      else if (event.key === "ArrowLeft" || event.key === "ArrowUp") step(card, -1);
      else return;
      event.preventDefault();
    });
    mark(card);
  }

  const bar = make("fieldset", form, {});
  make("legend", bar, { textContent: "Quality" });
  const count = make("span", bar, { id: "said" });
  count.setAttribute("role", "status");
  const save = make("button", bar, { type: "button", textContent: "save as qc.json", id: "save" });
  const label = make("label", bar, { textContent: "go on from " });
  const file = make("input", label, { type: "file", accept: ".json", id: "load" });
  make("span", bar, { className: "note", textContent: "On a case: a accept, f fix, r reject, arrows for the next; the same key again takes it back." });

  const saved = () => ({
    schema: "medseg.qc/1.0",
    saved_at: new Date().toISOString(),
    cases: cards.map((card) => ({ case: card.dataset.name, record: card.dataset.digest, verdict: said.get(card) || "open" })),
  });

  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(saved(), null, 2)}\n`], { type: "application/json" }));
    link.download = "qc.json";
    link.click();
    URL.revokeObjectURL(link.href);
    changed = false;
    tell();
  });

  function restore(text) {
    const found = JSON.parse(text);
    if (!String(found.schema).startsWith("medseg.qc/1.")) throw new Error("no verdicts");
    // A record that has changed since is open again.
    const known = new Map(found.cases.map((item) => [item.record, item.verdict]));
    for (const card of cards) {
      const verdict = known.get(card.dataset.digest);
      if (Object.values(words).includes(verdict)) said.set(card, verdict);
      mark(card);
    }
    tell();
  }

  file.addEventListener("change", async () => {
    try {
      restore(await file.files[0].text());
    } catch {
      count.textContent = "This file holds no verdicts of such a page.";
    }
  });
  window.addEventListener("beforeunload", (event) => {
    if (changed) event.preventDefault();
  });
  list.medseg = { saved, restore };
  tell();
})();

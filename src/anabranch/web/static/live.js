// What the pages do besides htmx: follow a log without letting it grow for ever, and move through steps by keyboard.
// Without this script every page reads the same; it only does not move by itself.
(() => {
  "use strict";
  const MOST = 5000; // lines that a followed log keeps

  const log = document.querySelector("[data-follow]");
  if (log) {
    let source = null, at = Number(log.dataset.at), over = false;
    const note = document.querySelector("[data-follow-note]");
    const atEnd = () => window.innerHeight + window.scrollY >= document.body.scrollHeight - 120;
    const show = (event) => {
      const { lines, skipped, end } = JSON.parse(event.data);
      const stick = atEnd();
      at = end;
      if (skipped) lines.unshift(`… ${skipped.toLocaleString("en")} bytes came faster than this page shows them …`);
      log.append(document.createTextNode(lines.join("\n") + "\n"));
      let count = log.childNodes.length;
      while (count > MOST / 50 && log.childNodes.length > 1) { log.firstChild.remove(); count--; }
      if (stick) window.scrollTo(0, document.body.scrollHeight);
    };
    const stop = () => { if (source) source.close(); source = null; };
    const start = () => {
      if (over || source || document.hidden) return;
      source = new EventSource(`${log.dataset.follow}?at=${at}`);
      source.addEventListener("message", show);
      source.addEventListener("end", () => { over = true; stop(); if (note) note.textContent = "the run has ended"; });
    };
    // A browser has six connections to one server: only tabs that are seen hold one.
    document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
    start();
  }

  for (const select of document.querySelectorAll("form.places select")) {
    select.addEventListener("change", () => select.form.submit());
  }

  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key !== "j" && event.key !== "k") return;
    const links = [...document.querySelectorAll(".rows td.lead a")];
    if (!links.length) return;
    const chosen = links.findIndex((link) => link.closest("tr.chosen"));
    const next = links[Math.min(Math.max(chosen + (event.key === "j" ? 1 : -1), 0), links.length - 1)];
    if (next && next !== links[chosen]) next.click();
  });
})();

// Asks for the live part of a page again: every 5 s while somebody looks, each minute while nobody moves,
// not at all while the page is hidden. Says when that was last, and in red when nobody answers.
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  const BUSY = 5000, IDLE = 60000, IDLE_AFTER = 120000;  // ms
  const stale = document.getElementById("stale"), updated = document.getElementById("updated");
  let movedAt = Date.now(), askedAt = Date.now(), etag = "", isAsking = false, isOver = false, opened = [];

  function tell(problem) {
    stale.hidden = !problem;
    if (problem) stale.textContent = problem;
    if (problem) return;
    updated.textContent = updated.dataset.text.replace("{time}", window.guerdonTimes.write(Date.now()));
    updated.hidden = false;
  }

  function ask() {
    if (isAsking || isOver) return;
    askedAt = Date.now();
    isAsking = true;
    window.htmx.trigger(live, "poll");
  }

  function look() {
    const pause = Date.now() - movedAt > IDLE_AFTER ? IDLE : BUSY;
    if (!document.hidden && Date.now() - askedAt >= pause) ask();
  }

  function move() {
    movedAt = Date.now();
  }

  live.addEventListener("htmx:config:request", (event) => {
    const request = event.detail.ctx.request;
    request.headers.Part = "live";
    request.cache = "no-store";
    if (etag) request.headers["If-None-Match"] = etag;
  });
  live.addEventListener("htmx:after:request", (event) => {
    const response = event.detail.ctx.response;
    if (response.status < 400) etag = response.raw.headers.get("ETag") || etag;
    isOver = response.status === 401;
    tell(isOver ? stale.dataset.ended : response.status < 400 || response.status === 404 ? "" : stale.dataset.text);
  });
  live.addEventListener("htmx:before:swap", () => {
    opened = [...live.querySelectorAll("details[open][id]")].map((one) => one.id);
  });
  live.addEventListener("htmx:after:swap", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    window.guerdonTimes.show(live);
  });
  live.addEventListener("htmx:error", () => tell(stale.dataset.text));
  live.addEventListener("htmx:finally:request", () => { isAsking = false; });
  for (const kind of ["pointermove", "keydown", "scroll", "touchstart"]) {
    document.addEventListener(kind, move, { passive: true });
  }
  document.addEventListener("visibilitychange", () => {
    move();
    look();
  });
  document.addEventListener("guerdon:zone", () => tell(""));
  setInterval(look, 1000);
  window.guerdonLive = { ask };
})();

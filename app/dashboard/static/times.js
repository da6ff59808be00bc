// Times as the viewer reads them: absolute, in the zone of this browser, or in UTC. The choice is remembered.
"use strict";
(() => {
  const KEY = "guerdon-times";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  let isLocal = read() !== "UTC" && zone !== "UTC";

  function read() {
    try { return localStorage.getItem(KEY); } catch { return null; }
  }

  function keep(value) {
    try { localStorage.setItem(KEY, value); } catch { /* then it is not remembered */ }
  }

  function write(moment, where) {
    const format = new Intl.DateTimeFormat("en-CA", {
      timeZone: where, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    const parts = Object.fromEntries(format.formatToParts(moment).map((one) => [one.type, one.value]));
    return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second}`;
  }

  function show(root) {
    for (const element of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const shown = write(moment, isLocal ? zone : "UTC");
      if (element.textContent !== shown) element.textContent = shown;
      element.title = isLocal ? `${write(moment, "UTC")} UTC` : `${write(moment, zone)} ${zone}`;
    }
  }

  function offer() {
    const place = document.getElementById("zone");
    if (!place || zone === "UTC") return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = place.dataset.local.replace("{zone}", isLocal ? zone : "UTC");
    button.title = place.dataset.switch.replace("{zone}", isLocal ? "UTC" : zone);
    button.addEventListener("click", () => {
      isLocal = !isLocal;
      keep(isLocal ? "local" : "UTC");
      offer();
      show(document);
      document.dispatchEvent(new CustomEvent("guerdon:zone"));
      document.querySelector("#zone button").focus();
    });
    place.replaceChildren(button);
  }

  window.guerdonTimes = {
    show,
    write: (ms) => write(new Date(ms), isLocal ? zone : "UTC"),
    zone: () => (isLocal ? zone : "UTC"),
  };
  offer();
  show(document);
})();

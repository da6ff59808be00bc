// Draws each [data-plot] from its JSON: {"times": [s, ...], "series": [{"name": "...", "values": [n, ...]}, ...]},
// with a caption of least, most and last, and the same numbers as a table.
"use strict";
(() => {
  const HEIGHT = 220;  // pixels
  const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function caption(figure, data) {
    const words = figure.dataset;
    return data.series.map((one) => {
      const values = one.values.filter((value) => value !== null);
      const ends = `${words.least} ${number(Math.min(...values))}, ${words.most} ${number(Math.max(...values))}`;
      return `${one.name}: ${ends}, ${words.last} ${number(values.at(-1))}`;
    }).join("; ");
  }

  function cell(row, kind, text) {
    const made = document.createElement(kind);
    made.textContent = text;
    if (kind === "th") made.scope = "col";
    row.append(made);
  }

  function tabulate(figure, data) {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow(), body = table.createTBody();
    for (const name of [figure.dataset.time, ...data.series.map((one) => one.name)]) cell(head, "th", name);
    data.times.forEach((time, place) => {
      const row = body.insertRow();
      cell(row, "td", window.guerdonTimes.write(time * 1000));
      for (const one of data.series) cell(row, "td", number(one.values[place]));
    });
    figure.querySelector("[data-table]").replaceChildren(table);
  }

  function draw(figure, data) {
    const place = figure.querySelector("[data-canvas]");
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    place.replaceChildren();
    return new window.uPlot({
      width: place.clientWidth, height: HEIGHT,
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), window.guerdonTimes.zone()),
      axes: [axis, { ...axis, size: 60, values: (_, values) => values.map(number) }],
      series: [{ value: (_, time) => (time === null ? "–" : window.guerdonTimes.write(time * 1000)) },
        ...data.series.map((one, place_) => ({
          label: one.name, stroke: colour(`--plot-${(place_ % 4) + 1}`), width: 1.5, points: { show: false },
          value: (_, value) => number(value),
        }))],
    }, [data.times, ...data.series.map((one) => one.values)], place);
  }

  async function show(figure) {
    const told = figure.querySelector("[data-caption]");
    try {
      const response = await fetch(figure.dataset.plot, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(String(response.status));
      const data = await response.json();
      if (!data.times.length) {
        told.textContent = figure.dataset.nothing;
        return;
      }
      told.textContent = caption(figure, data);
      let drawn = null;
      const redraw = () => {
        drawn?.destroy();
        drawn = draw(figure, data);
        tabulate(figure, data);
      };
      redraw();
      new ResizeObserver(() => {
        drawn.setSize({ width: figure.querySelector("[data-canvas]").clientWidth, height: HEIGHT });
      }).observe(figure);
      document.addEventListener("guerdon:zone", redraw);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    } catch {
      told.textContent = figure.dataset.failed;
    }
  }

  for (const figure of document.querySelectorAll("[data-plot]")) show(figure);
})();

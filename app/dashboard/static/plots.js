// Draws each [data-plot] from its JSON: {"times": [s, ...], "series": [{"name": "...", "values": [n or null, ...]}, ...],
// "step": s between times}. Without it there are still the sums; with it also every point as a table.
"use strict";
(() => {
  const HEIGHT = 230, COLOURS = 7, DAY = 86400;  // pixels; of the stylesheet; seconds
  const DASHES = [[], [7, 4], [2, 3]];  // what tells series of one colour apart
  const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
  const WHOLE = Array.from({ length: 15 }, (_, power) => [1, 2, 5].map((one) => one * 10 ** power)).flat();
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
  const isDays = (data) => data.step > 0 && data.step % DAY === 0;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  const dress = (place) => ({
    stroke: colour(`--plot-${(place % COLOURS) + 1}`), dash: DASHES[Math.floor(place / COLOURS) % DASHES.length],
  });

  function writeTime(data, seconds) {
    if (isDays(data)) return new Date(seconds * 1000).toISOString().slice(0, 10);  // a day of UTC
    return window.guerdonTimes.write(seconds * 1000);
  }

  // Under an axis: hours of the day, with the date where it is another; or days.
  function writeTicks(data, ticks) {
    let before = "";
    return ticks.map((tick) => {
      const written = writeTime(data, tick), date = written.slice(5, 10);
      const isNew = date !== before;
      before = date;
      if (isDays(data)) return date;
      return isNew ? `${written.slice(11, 16)}\n${date}` : written.slice(11, 16);
    });
  }

  const isWhole = (data) => data.series.every((one) => one.values.every((value) => Number.isInteger(value ?? 0)));

  function cell(row, kind, text, scope) {
    const made = document.createElement(kind), inner = document.createElement("bdi");
    inner.textContent = text;
    made.append(inner);
    if (kind === "th") made.scope = scope;
    row.append(made);
  }

  function tabulate(figure, data) {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow(), body = table.createTBody();
    for (const name of [figure.dataset.time, ...data.series.map((one) => one.name)]) cell(head, "th", name, "col");
    data.times.forEach((time, place) => {
      const row = body.insertRow();
      cell(row, "th", writeTime(data, time), "row");
      for (const one of data.series) cell(row, "td", number(one.values[place]));
    });
    figure.querySelector("[data-table]").replaceChildren(table);
  }

  // Each row of the sums that a line is of: with its colour, and its value where somebody points.
  function findRows(figure, data) {
    const rows = [...figure.querySelectorAll("tr[data-name]")];
    return data.series.map((one) => rows.find((row) => row.dataset.name === one.name));
  }

  function colourRows(rows) {
    rows.forEach((row, place) => {
      if (!row) return;
      const { stroke, dash } = dress(place);
      row.style.setProperty("--swatch", stroke);
      row.dataset.dash = dash.length ? String(dash[0]) : "0";
    });
  }

  function point(figure, data, rows, place) {
    const head = figure.querySelector("th[data-latest]");
    if (!head) return;
    head.dataset.word ??= head.textContent;
    const at = place ?? data.times.length - 1;
    head.textContent = place === null || place === undefined ? head.dataset.word : writeTime(data, data.times[at]);
    rows.forEach((row, series) => {
      const shown = row?.querySelector("td[data-latest]");
      if (shown) shown.textContent = number(data.series[series].values[at]);
    });
  }

  // A point between two gaps is no line: it is drawn as a point.
  const findLonely = (values) => values.flatMap((value, place) =>
    (value !== null && (values[place - 1] ?? null) === null && (values[place + 1] ?? null) === null ? [place] : []));

  function findRange(_, least, most) {
    if (least === null || most === null) return [0, 1];
    return [least < 0 ? least * 1.05 : 0, most > 0 ? most * 1.05 : least < 0 ? 0 : 1];
  }

  function draw(figure, data, rows) {
    const place = figure.querySelector("[data-canvas]");
    const zone = isDays(data) ? "UTC" : window.guerdonTimes.zone();
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const alone = data.times.length === 1;
    place.replaceChildren();
    return new window.uPlot({
      width: place.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), zone),
      scales: {
        x: alone ? { range: () => [data.times[0] - 3600, data.times[0] + 3600] } : {},
        y: { range: findRange },
      },
      axes: [
        { ...axis, values: (_, ticks) => writeTicks(data, ticks) },
        { ...axis, size: 70, values: (_, ticks) => ticks.map((tick) => (tick < 1e5 ? number(tick) : short.format(tick))),
          ...(isWhole(data) ? { incrs: WHOLE } : {}) },
      ],
      hooks: { setCursor: [(plot) => point(figure, data, rows, plot.cursor.idx)] },
      series: [{}, ...data.series.map((one, series) => ({
        label: one.name, width: 1.75, ...dress(series),
        points: { show: true, size: 6, filter: (plot, which) => findLonely(data.series[which - 1].values) },
      }))],
    }, [data.times, ...data.series.map((one) => one.values)], place);
  }

  function tell(figure, text) {
    const told = figure.querySelector("[data-told]");
    told.textContent = text;
    told.hidden = !text;
  }

  // What is said where there is nothing to draw; "" where there is.
  function findFault(figure, status, data) {
    if (status === 401) return figure.dataset.ended;
    if (status === 503) return figure.dataset.slow;
    if (status !== 200) return figure.dataset.failed;
    const isSomething = data.times.length && data.series.some((one) => one.values.some((value) => value !== null));
    return isSomething ? "" : figure.dataset.nothing;
  }

  async function read(figure) {
    const response = await fetch(figure.dataset.plot, { headers: { Accept: "application/json" }, redirect: "error" });
    return [response.status, response.ok ? await response.json() : null];
  }

  function show(figure, data) {
    const box = figure.querySelector("[data-drawn]"), rows = findRows(figure, data);
    box.hidden = false;
    figure.querySelector("[data-whole]").hidden = false;
    let drawn = null;
    const redraw = () => {
      drawn?.destroy();
      colourRows(rows);
      drawn = draw(figure, data, rows);
      tabulate(figure, data);
    };
    redraw();
    new ResizeObserver(() => {
      const width = figure.querySelector("[data-canvas]").clientWidth;
      if (width && width !== drawn.width) drawn.setSize({ width, height: HEIGHT });
    }).observe(box);
    document.addEventListener("guerdon:zone", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  async function begin(figure) {
    try {
      const [status, data] = await read(figure);
      const fault = findFault(figure, status, data);
      // Of what the page itself says already there is no need to speak twice.
      if (fault) tell(figure, figure.querySelector(".sums .fault, .sums .empty") ? "" : fault);
      else show(figure, data);
    } catch {
      tell(figure, figure.dataset.failed);
    }
    figure.dataset.state = "done";
  }

  for (const figure of document.querySelectorAll("[data-plot]")) begin(figure);
})();

// Draws figures[data-chart] with uPlot from the table inside them, so that a chart and its table never differ.
const HOUR = 3600;
const DAYS = [1, 2, 5, 7, 14, 30].map((days) => days * 24 * HOUR);
const short = (value) => {
  const size = Math.abs(value);
  for (const [bound, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= bound) return `${+(value / bound).toPrecision(3)}${unit}`;
  }
  return String(+value.toPrecision(3));
};
const duration = (value) => (value >= 60e3 ? `${short(value / 60e3)} min` : value >= 1e3 ? `${short(value / 1e3)} s` : `${short(value)} ms`);
const UNITS = {
  count: short,
  tokens: short,
  usd: (value) => `$${value && Math.abs(value) < 0.01 ? value.toPrecision(2) : short(value)}`,
  ms: duration,
  bytes: (value) => `${short(value)}B`,
  percent: (value) => `${short(value)} %`,
};
const property = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (tone) => property(`--pt-${tone}`) || property("--pt-1");
const pad = (number) => String(number).padStart(2, "0");
const clock = (at) => { const d = new Date(at * 1e3); return `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}`; };
const day = (at) => new Date(at * 1e3).toLocaleDateString("en", { month: "short", day: "numeric", timeZone: "UTC" });

function read(figure) {
  const heads = [...figure.querySelectorAll("thead th")].slice(1);
  const rows = [...figure.querySelectorAll("tbody tr[data-t]")];
  const number = (cell) => (cell.dataset.v === "" ? null : Number(cell.dataset.v));
  return {
    times: rows.map((row) => Number(row.dataset.t)),
    links: rows.map((row) => row.querySelector("a")?.href),
    names: heads.map((head) => head.textContent),
    tones: heads.map((head) => (/^\d+$/.test(head.dataset.tone) ? String(((Number(head.dataset.tone) - 1) % 8) + 1) : head.dataset.tone)),
    dashed: heads.map((head) => "dashed" in head.dataset),
    values: heads.map((_, at) => rows.map((row) => number(row.querySelectorAll("td")[at]))),
    marks: [...figure.querySelectorAll("[data-mark]")].map((mark) => Number(mark.dataset.mark)),
  };
}

function piled(values) {
  const sums = values[0] ? values[0].map(() => 0) : [];
  return values.map((series) => series.map((value, at) => (sums[at] += value ?? 0)));
}

const faint = (tone, part) => `color-mix(in srgb, ${colour(tone)} ${part}%, transparent)`;

// A value between two gaps is on no line: it is drawn as a point.
const lonely = (plot, at) => {
  const values = plot.data[at];
  return [...values.keys()].filter((place) => values[place] !== null && (values[place - 1] ?? null) === null && (values[place + 1] ?? null) === null);
};

function seriesOf(data, kind) {
  const bars = uPlot.paths.bars({ size: [0.82, 40], radius: 0.12, gap: 1 });
  return data.names.map((name, at) => {
    const tone = data.tones[at];
    if (kind === "stack" || kind === "bars") return { label: name, paths: bars, points: { show: false }, width: 0, fill: colour(tone), stroke: colour(tone) };
    const line = { label: name, stroke: colour(tone), width: 1.75, points: { show: true, size: 5, filter: lonely }, dash: data.dashed[at] ? [5, 5] : undefined, spanGaps: false };
    return kind === "area" ? { ...line, fill: faint(tone, 16) } : line;
  });
}

function tip(data, write) {
  let box;
  return {
    hooks: {
      init: (plot) => {
        box = document.createElement("div");
        box.className = "pt-tip";
        box.hidden = true;
        plot.over.append(box);
        plot.over.addEventListener("mouseleave", () => { box.hidden = true; });
        plot.over.addEventListener("click", () => {
          const link = data.links[plot.cursor.idx ?? -1];
          if (link) window.location.assign(link);
        });
      },
      setCursor: (plot) => {
        const at = plot.cursor.idx;
        if (at == null || plot.cursor.left < 0) { box.hidden = true; return; }
        const head = document.createElement("p");
        head.textContent = `${day(data.times[at])}, ${clock(data.times[at])} UTC`;
        const list = document.createElement("ul");
        data.names.forEach((name, series) => {
          const value = data.values[series][at];
          if (value == null || (value === 0 && data.names.length > 3)) return;
          const line = document.createElement("li");
          const swatch = document.createElement("span");
          swatch.className = "pt-swatch";
          swatch.style.background = colour(data.tones[series]);
          const number = document.createElement("b");
          number.textContent = write(value);
          line.append(swatch, document.createTextNode(name), number);
          list.append(line);
        });
        box.replaceChildren(head, list);
        box.hidden = false;
        const right = plot.cursor.left > plot.over.clientWidth / 2;
        box.style.left = right ? "" : `${plot.cursor.left + 14}px`;
        box.style.right = right ? `${plot.over.clientWidth - plot.cursor.left + 14}px` : "";
        box.style.top = "4px";
      },
    },
  };
}

function marks(data) {
  return {
    hooks: {
      draw: (plot) => {
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.strokeStyle = colour("quiet");
        ctx.setLineDash([4, 4]);
        for (const mark of data.marks) {
          const x = Math.round(plot.valToPos(mark, "x", true));
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
        }
        ctx.restore();
      },
    },
  };
}

function axes(write, data) {
  const stroke = property("--pt-axis");
  const long = data.times.at(-1) - data.times[0] > 36 * HOUR;
  const font = "11px Inter, system-ui, sans-serif";
  return [
    { stroke, font, size: 26, grid: { show: false }, ticks: { show: false }, space: 64, incrs: long ? DAYS : undefined, values: (_, splits) => splits.map((at) => (long ? day(at) : clock(at))) },
    { stroke, font, size: 54, grid: { stroke: property("--pt-grid"), width: 1 }, ticks: { show: false }, values: (_, splits) => splits.map((value) => write(value)) },
  ];
}

function keyOf(data) {
  const list = document.createElement("ul");
  list.className = "pt-keys";
  data.names.forEach((name, at) => {
    const item = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.className = "pt-swatch";
    swatch.style.background = colour(data.tones[at]);
    item.append(swatch, name);
    list.append(item);
  });
  return list;
}

// Dragging over a chart of a page that goes by a time narrows it to what was dragged over.
const narrows = () => Boolean(document.querySelector("[data-scope] .sh-ranges"));
function select(plot) {
  if (plot.select.width < 8 || !narrows()) return;
  const iso = (x) => new Date(plot.posToVal(x, "x") * 1e3).toISOString().slice(0, 16);
  const address = new URL(window.location.href);
  address.searchParams.delete("range");
  for (const mark of ["before", "after"]) address.searchParams.delete(mark);
  address.searchParams.set("since", iso(plot.select.left));
  address.searchParams.set("until", iso(plot.select.left + plot.select.width));
  window.location.assign(address);
}

// What is drawn listens to the window: a figure that is taken out of the page has to let go of it.
const drawn = new Set();
function letGo() {
  for (const figure of [...drawn].filter((one) => !one.isConnected)) {
    figure.plot.destroy();
    sizes.unobserve(figure.querySelector(".pt-canvas"));
    drawn.delete(figure);
  }
}

export function draw(figure) {
  const place = figure.querySelector(".pt-canvas");
  if (!place || !window.uPlot) return;
  const data = read(figure);
  if (!data.times.length) return;
  const kind = figure.dataset.chart;
  const write = UNITS[figure.dataset.unit] || short;
  const stacked = kind === "stack";
  // The tallest of a pile is drawn first, so that the others stand in front of it.
  const shown = stacked ? piled(data.values).reverse() : data.values;
  const series = seriesOf(data, kind);
  const step = data.times.length > 1 ? data.times[1] - data.times[0] : HOUR;
  const edges = kind === "stack" || kind === "bars" ? step / 2 : 0;
  figure.plot?.destroy();
  place.replaceChildren();
  figure.querySelector(".pt-keys")?.remove();
  const plot = new uPlot({
    width: place.clientWidth,
    height: place.clientHeight,
    legend: { show: false },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "Etc/UTC"),
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { show: kind === "lines" || kind === "area" }, drag: { x: narrows(), y: false, setScale: false } },
    scales: { x: { time: true, range: (_, low, high) => [low - edges, high + edges] }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: axes(write, data),
    series: [{}, ...(stacked ? series.reverse() : series)],
    hooks: { setSelect: [select] },
    plugins: [tip(data, write), marks(data)],
  }, [data.times, ...shown], place);
  if (data.names.length > 1) place.after(keyOf(data));
  figure.plot = plot;
  drawn.add(figure);
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const plot = target.closest("figure").plot;
    if (plot && target.clientWidth && target.clientWidth !== plot.width) plot.setSize({ width: target.clientWidth, height: target.clientHeight });
  }
});

export function drawAll(root = document) {
  letGo();
  for (const figure of root.querySelectorAll("figure[data-chart]")) {
    draw(figure);
    const place = figure.querySelector(".pt-canvas");
    if (place) sizes.observe(place);
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => drawAll());
else drawAll();
document.addEventListener("turnlog:theme", () => drawAll());
document.addEventListener("htmx:afterSwap", (event) => drawAll(event.target));

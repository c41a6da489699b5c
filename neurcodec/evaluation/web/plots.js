// Rate-quality curves as SVG: pickers, a legend that hides curves, and the values under the pointer.

const ALL_CLIPS = -1;
const KINDS = { judge: "Judges (in no loss)", loss: "In a loss of ours", fidelity: "Fidelity" };
const MARKERS = [
  "M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0Z", "M-3,-3H3V3H-3Z", "M0,-4L4,3H-4Z", "M0,-4.5L4.5,0L0,4.5L-4.5,0Z",
  "M0,4L4,-3H-4Z", "M-3.5,-1H-1V-3.5H1V-1H3.5V1H1V3.5H-1V1H-3.5Z",
];
const COLOURS = 8;
const MARGIN = { left: 54, right: 12, top: 10, bottom: 34 };

function looks(index) {
  return { colour: `c${index % COLOURS}`, marker: MARKERS[index % MARKERS.length] };
}

/** Numbers 1, 2, 5 times powers of ten inside [low, high], for a logarithmic axis. */
function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    ticks.push(...[1, 2, 5].map((n) => Number(`${n}e${power}`)));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** About `count` round numbers inside [low, high]. */
function linearTicks(low, high, count) {
  const power = 10 ** Math.floor(Math.log10((high - low) / count));
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => (high - low) / s <= count) ?? 10 * power;
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(Number((i * step).toPrecision(10)));
  return ticks;
}

function bounds(values, share) {
  const low = Math.min(...values), high = Math.max(...values);
  const edge = (high - low) * share || Math.abs(high) * share || share;
  return [low - edge, high + edge];
}

/** Scales of one figure: from bits per pixel and value to pixels. */
function scales(points, width, height) {
  const [x0, x1] = bounds(points.map((point) => Math.log10(point.bpp)), 0.04);
  const [y0, y1] = bounds(points.map((point) => point.value), 0.06);
  const innerX = width - MARGIN.left - MARGIN.right, innerY = height - MARGIN.top - MARGIN.bottom;
  return {
    x: (bpp) => MARGIN.left + ((Math.log10(bpp) - x0) / (x1 - x0)) * innerX,
    y: (value) => MARGIN.top + ((y1 - value) / (y1 - y0)) * innerY,
    xTicks: logTicks(10 ** x0, 10 ** x1),
    yTicks: linearTicks(y0, y1, Math.max(3, Math.floor(innerY / 36))),
  };
}

function axes(scale, width, height) {
  const group = svg("g", { class: "axes" });
  const bottom = height - MARGIN.bottom;
  let free = -Infinity; // where the label before ends
  for (const tick of scale.xTicks) {
    const x = scale.x(tick);
    group.append(svg("line", { x1: x, x2: x, y1: MARGIN.top, y2: bottom }));
    const half = 3.2 * String(tick).length;
    if (x - half < free + 4) continue;
    group.append(svg("text", { x, y: bottom + 15, "text-anchor": "middle" }, String(tick)));
    free = x + half;
  }
  for (const tick of scale.yTicks) {
    const y = scale.y(tick);
    group.append(svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }));
    group.append(svg("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, String(tick)));
  }
  group.append(svg("text", { x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, "bits per pixel"));
  return group;
}

function curveElement(curve, look, scale) {
  const group = svg("g", { class: `curve ${look.colour}` });
  if (curve.hull.length) {
    const line = curve.hull.map(([bpp, value]) => `${scale.x(bpp).toFixed(1)},${scale.y(value).toFixed(1)}`);
    group.append(svg("polyline", { points: line.join(" ") }));
  }
  for (const point of curve.points) {
    const place = `translate(${scale.x(point.bpp).toFixed(1)},${scale.y(point.value).toFixed(1)})`;
    group.append(svg("path", { d: look.marker, transform: place }));
  }
  return group;
}

/** One figure: curves are [{curve, look}], those that are not hidden. */
function figure(plot, clip, curves, width, height) {
  const all = curves.flatMap(({ curve, look }) =>
    curve.points.map((point) => ({ point, curve: curve.name, look })));
  const root = svg("svg", { width, height, tabindex: "0", role: "img",
    "aria-label": `${plot.title} over bits per pixel, ${clip}; arrow keys step through the points` });
  const tip = html("div", { class: "tip", role: "status" });
  const frame = html("figure", {}, html("figcaption", {}, clip), html("div", { class: "plot" }, root, tip));
  if (!all.length) {
    root.append(svg("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "nothing to show"));
    return frame;
  }
  const scale = scales(all.map(({ point }) => point), width, height);
  const ring = svg("circle", { class: "ring", r: 7, visibility: "hidden" });
  root.append(axes(scale, width, height), ...curves.map(({ curve, look }) => curveElement(curve, look, scale)), ring);
  const places = all.map((entry) => ({ ...entry, x: scale.x(entry.point.bpp), y: scale.y(entry.point.value) }));
  readValues(root, ring, tip, places, plot, width);
  return frame;
}

/** Put the values beside the point at (x, y), or above or below it where no side has room. */
function placeTip(tip, x, y, width, height) {
  const [wide, high, gap] = [tip.offsetWidth, tip.offsetHeight, 12];
  const sides = [x + gap, x - gap - wide].filter((left) => left >= 0 && left + wide <= width);
  const left = sides[0] ?? clamp(x - wide / 2, 0, width - wide);
  const beyond = y > height / 2 ? y - gap - high : y + gap;
  tip.style.left = `${left}px`;
  tip.style.top = `${sides.length ? Math.max(0, y - high / 2) : beyond}px`;
}

/** Show the values of the point nearest to the pointer, or of the one that arrow keys chose. */
function readValues(root, ring, tip, places, plot, width) {
  let current = -1;
  const show = (index) => {
    current = index;
    const { point, curve, look, x, y } = places[index];
    fill(ring, { cx: x, cy: y, visibility: "visible", class: `ring ${look.colour}` }, []);
    const unit = plot.unit ? ` ${plot.unit}` : "";
    tip.replaceChildren(
      html("b", { class: look.colour }, curve), html("span", {}, point.label),
      html("span", {}, `${valueText(point.bpp)} bpp, ${bytesText(point.bytes)}`),
      html("span", { class: "value" }, `${plot.metric} ${valueText(point.value)}${unit}`));
    tip.classList.add("shown");
    placeTip(tip, x, y, width, root.clientHeight);
  };
  const hide = () => {
    current = -1;
    tip.classList.remove("shown");
    ring.setAttribute("visibility", "hidden");
  };
  const point = (event) => {
    const box = root.getBoundingClientRect();
    const distance = ({ x, y }) => Math.hypot(x - (event.clientX - box.left), y - (event.clientY - box.top));
    show(places.reduce((best, place, i) => (distance(place) < distance(places[best]) ? i : best), 0));
  };
  root.addEventListener("pointermove", point);
  root.addEventListener("pointerdown", point);
  root.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  root.addEventListener("blur", hide);
  root.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show((current + step + places.length) % places.length);
  });
}

function legendButton(name, look, hidden, changed) {
  const mark = svg("svg", { width: 22, height: 12, viewBox: "-11 -6 22 12", class: `curve ${look.colour}`,
    "aria-hidden": "true" }, svg("polyline", { points: "-11,0 11,0" }), svg("path", { d: look.marker }));
  const button = html("button", { type: "button", "aria-pressed": "true" }, mark, name);
  button.addEventListener("click", () => {
    hidden.delete(name) || hidden.add(name);
    button.setAttribute("aria-pressed", !hidden.has(name));
    changed();
  });
  return button;
}

function metricChoices(plots) {
  const groups = {};
  plots.forEach((plot, index) => (groups[KINDS[plot.kind] ?? ""] ??= []).push([index, plot.title]));
  return groups;
}

/** The section: pickers, legend and the figures. */
function plotViewer(plots) {
  const state = { metric: 0, clip: ALL_CLIPS };
  const names = [...new Set(plots.flatMap((p) => p.clips.flatMap((c) => c.curves.map((curve) => curve.name))))];
  const clips = [...new Set(plots.flatMap((p) => p.clips.map((c) => c.clip)))];
  const look = new Map(names.map((name, index) => [name, looks(index)]));
  const hidden = new Set();
  const grid = html("div", { class: "figures" }), heading = html("h3", { class: "plot-title" });
  const draw = () => {
    const plot = plots[state.metric];
    const shown = plot.clips.filter((c) => state.clip === ALL_CLIPS || c.clip === clips[state.clip]);
    const room = grid.clientWidth, gap = 16;
    const columns = clamp(Math.floor(room / 300), 1, shown.length || 1);
    const width = Math.floor((room - gap * (columns - 1)) / columns);
    const height = clamp(Math.round(width * (columns > 1 ? 0.75 : 0.5)), 250, 480);
    heading.textContent = `${plot.title}${plot.unit ? ` [${plot.unit}]` : ""}, ${plot.higher ? "higher" : "lower"} ` +
      `is better${plot.kind ? ` (${plot.kind})` : ""}`;
    grid.replaceChildren(...shown.map(({ clip, curves }) => {
      const visible = curves.filter((curve) => !hidden.has(curve.name));
      return figure(plot, clip, visible.map((curve) => ({ curve, look: look.get(curve.name) })), width, height);
    }));
  };
  const choices = { "": [[ALL_CLIPS, "all clips"], ...clips.map((clip, index) => [index, clip])] };
  const controls = html("div", { class: "controls" },
    picker("Metric", metricChoices(plots), 0, (value) => { state.metric = value; draw(); }),
    picker("Clip", choices, ALL_CLIPS, (value) => { state.clip = value; draw(); }));
  const legend = html("div", { class: "legend", role: "group", "aria-label": "Curves" },
    ...names.map((name) => legendButton(name, look.get(name), hidden, draw)));
  let drawn = 0;
  new ResizeObserver(() => {
    if (grid.clientWidth !== drawn) { drawn = grid.clientWidth; draw(); }
  }).observe(controls); // as wide as the grid, but drawing does not change it
  const help = html("p", { class: "note" }, "Lines are envelopes, marks are measured points. Point at a mark for its " +
    "values, or focus a plot and use the arrow keys. The legend hides and shows curves.");
  return html("div", { class: "plots" }, controls, legend, heading, grid, help);
}

// Concentrations in a stirred vessel over time, drawn anew whenever a dial is turned.

const SVG = "http://www.w3.org/2000/svg", BOX = { width: 720, height: 380, left: 64, right: 150, top: 14, bottom: 44 };
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];

function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Round numbers from 0 or `low` to `high`, about five.
function ticks(low, high) {
  const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw)), step = power * [1, 2, 5, 10].find(x => x * power >= raw * 0.999);
  return Array.from({ length: Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1 }, (_, i) => (Math.ceil(low / step - 1e-9) + i) * step);
}

class Vessel {
  constructor() {
    this.run = 0;
    this.log = false;
    this.share = 1; // of the time that is shown
    this.parameters = { forward: [...facts.forward], reverse: [...facts.reverse], initial: [...facts.runs[0].initial] };
    this.picture = drawn("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": "Concentrations over time", style: "width: 100%; height: auto; font-size: 13px" });
    this.follow();
  }

  follow() {
    const { forward, reverse, initial } = this.parameters;
    this.course = follow(forward, reverse, initial, facts.end);
    tell(this.course.failed ? `The equation could not be followed beyond t = ${short(this.course.times.at(-1))}: it runs to infinity, or is too stiff for this page.` : "");
    this.draw();
  }

  // The state at a time, between two steps on a straight line.
  at(t) {
    const { times, states } = this.course, i = Math.min(Math.max(times.findIndex(x => x >= t), 1), times.length - 1);
    const part = Math.min((t - times[i - 1]) / (times[i] - times[i - 1] || 1), 1);
    return states[i].map((x, s) => states[i - 1][s] + part * (x - states[i - 1][s]));
  }

  scales() {
    const { times, states } = this.course, measured = facts.runs[this.run].values.flat().filter(x => x !== null);
    let top = 0;
    for (const state of states) for (const x of state) top = Math.max(top, x);
    top = Math.max(top, ...measured, 1e-12) * 1.05;
    const first = times.find(t => t > 1e-4 * facts.end) ?? facts.end, [w, h] = [BOX.width - BOX.left - BOX.right, BOX.height - BOX.top - BOX.bottom];
    const share = this.log ? t => Math.log(Math.max(t, first) / first) / Math.log(facts.end / first) : t => t / facts.end;
    return { top, first, x: t => BOX.left + w * share(t), y: c => BOX.top + h * (1 - c / top) };
  }

  axes({ top, first, x, y }) {
    const ends = { right: BOX.width - BOX.right, bottom: BOX.height - BOX.bottom }, parts = [];
    const marks = this.log ? Array.from({ length: 20 }, (_, i) => 10 ** (Math.ceil(Math.log10(first)) + i)).filter(t => t <= facts.end) : ticks(0, facts.end);
    for (const c of ticks(0, top)) parts.push(drawn("path", { d: `M${BOX.left} ${y(c)}H${ends.right}`, stroke: "var(--grid)" }), drawn("text", { x: BOX.left - 8, y: y(c) + 4, "text-anchor": "end", fill: "currentColor" }, short(c)));
    for (const t of marks) parts.push(drawn("path", { d: `M${x(t)} ${BOX.top}V${ends.bottom}`, stroke: "var(--grid)" }), drawn("text", { x: x(t), y: ends.bottom + 18, "text-anchor": "middle", fill: "currentColor" }, short(t)));
    const unit = text => text ? ` (${text})` : "", middle = (BOX.top + ends.bottom) / 2;
    parts.push(drawn("text", { x: (BOX.left + ends.right) / 2, y: BOX.height - 6, "text-anchor": "middle", fill: "currentColor" }, `time${unit(facts.timeUnit)}`));
    parts.push(drawn("text", { x: 14, y: middle, "text-anchor": "middle", fill: "currentColor", transform: `rotate(-90 14 ${middle})` }, `concentration${unit(facts.unit)}`));
    return parts;
  }

  // The places of the legend: beside the ends of the curves, one below the other.
  legend(y) {
    const last = this.at(facts.end), order = last.map((c, s) => [y(c), s]).sort((a, b) => a[0] - b[0]), gap = Math.min(17, (BOX.height - BOX.top - BOX.bottom) / order.length);
    order.forEach((one, i) => { if (i) one[0] = Math.max(one[0], order[i - 1][0] + gap); });
    const over = order.at(-1)[0] - (BOX.height - BOX.bottom);
    if (over > 0) order.forEach((one, i) => { one[0] = Math.min(one[0], BOX.height - BOX.bottom - gap * (order.length - 1 - i)); });
    return order;
  }

  draw() {
    const scale = this.scales(), { x, y } = scale, { times } = this.course, run = facts.runs[this.run], until = this.share * facts.end;
    const style = s => ({ stroke: facts.colours[s % facts.colours.length], "stroke-dasharray": DASHES[Math.floor(s / facts.colours.length) % DASHES.length] });
    const kept = [...times.filter(t => t < until), Math.min(until, times.at(-1))], lines = kept.map(t => this.at(t));
    const parts = this.axes(scale);
    facts.species.forEach((_, s) => parts.push(drawn("path", { d: `M${kept.map((t, i) => `${x(t).toFixed(1)} ${y(lines[i][s]).toFixed(1)}`).join("L")}`, fill: "none", "stroke-width": 2, ...style(s) })));
    run.values.forEach((values, i) => values.forEach((c, s) => { if (c !== null && run.times[i] <= until) parts.push(drawn("circle", { cx: x(run.times[i]), cy: y(c), r: 3, fill: "none", ...style(s), "stroke-dasharray": "" })); }));
    const beside = BOX.width - BOX.right;
    for (const [height, s] of this.legend(y)) parts.push(drawn("path", { d: `M${beside + 6} ${height}h18`, "stroke-width": 2, ...style(s) }), drawn("text", { x: beside + 30, y: height + 4, fill: "currentColor" }, clipped(facts.species[s])));
    this.picture.replaceChildren(...parts);
  }
}

function clipped(name) { return name.length > 16 ? `${name.slice(0, 15)}…` : name; }

const vessel = window.guldberg = new Vessel(), dialled = [];
const again = () => vessel.follow();
const amounts = element("div");

// Dials for the amounts at the start: those of the chosen run.
function starts() {
  amounts.replaceChildren(...dials("Concentrations at the start", facts.species, vessel.parameters.initial, again, dialled, Math.max(...vessel.parameters.initial)));
}

function reset() {
  dialled.forEach(one => one.back());
  vessel.parameters.initial = [...facts.runs[vessel.run].initial];
  starts();
  again();
}

function play() {
  const began = performance.now();
  const frame = now => {
    vessel.share = Math.min(Math.max((now - began) / 6000, 0), 1);
    vessel.draw();
    if (vessel.share < 1) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

starts();
const logarithm = element("input", { type: "checkbox", onchange: event => { vessel.log = event.target.checked; vessel.draw(); } });
stage.append(
  row(button("Play", play), button("Reset", reset), element("label", {}, logarithm, " time by powers of ten"),
    ...(facts.runs.length > 1 ? [choice("Run", facts.runs.map(run => run.name), i => { vessel.run = i; reset(); })] : [])),
  vessel.picture, ...constants(vessel.parameters.forward, vessel.parameters.reverse, again, dialled), amounts);

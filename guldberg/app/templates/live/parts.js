"use strict";
// What both kinds of live page are made of. Names from files are only ever set as text.

const facts = JSON.parse(document.getElementById("live-facts").textContent);
const stage = document.querySelector(".live .stage");

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function row(...children) { return element("div", { className: "row" }, ...children); }

function button(text, act) { return element("button", { type: "button", textContent: text, onclick: act }); }

function choice(label, options, act) {
  const select = element("select", { onchange: () => act(select.selectedIndex) }, ...options.map(text => element("option", { textContent: text })));
  return element("label", {}, label + " ", select);
}

function tell(message) {
  const alert = document.querySelector(".live [role=alert]");
  alert.textContent = message;
  alert.hidden = !message;
}

function short(x) { return x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5) ? x.toExponential(2) : Number(x.toPrecision(4)).toString(); }

// A factor between 1/100 and 100 on a number; one that is 0 goes from there to `top`.
function dial(name, values, i, changed, top = 0) {
  const own = values[i], output = element("output", { textContent: short(own) });
  const range = element("input", { type: "range", min: own ? -2 : 0, max: own ? 2 : 1, step: 0.01, value: 0 });
  range.setAttribute("aria-label", name);
  range.oninput = () => { values[i] = own ? own * 10 ** Number(range.value) : top * Number(range.value); output.textContent = short(values[i]); changed(); };
  const back = () => { range.value = 0; values[i] = own; output.textContent = short(own); };
  return { node: element("label", {}, element("span", { textContent: name }), range, output), back };
}

// Dials for the numbers of `values`, those that are 0 only where there is a `top`; `all` collects them, to be set back.
function dials(title, names, values, changed, all, top = 0) {
  const made = names.flatMap((name, i) => values[i] || top ? [dial(name, values, i, changed, top)] : []);
  all.push(...made);
  const box = element("div", { className: "dials" }, ...made.map(one => one.node));
  return made.length ? [element("details", {}, element("summary", { textContent: `${title} (${made.length})` }), box)] : [];
}

function constants(forward, reverse, changed, all) {
  const back = facts.equations.map(text => `${text}, back`);
  return [...dials("Rate constants", facts.equations, forward, changed, all), ...dials("Rate constants of the way back", back, reverse, changed, all)];
}

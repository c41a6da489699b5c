"use strict";
// Small helpers. Strings always become text nodes or attribute values, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function bytesText(bytes) {
  return `${bytes.toLocaleString("en")} bytes`;
}

function valueText(value) {
  return String(Number(value.toPrecision(4)));
}

/** A labelled picker; `choices` are names, or {group: [[value, name], ...]}; calls `changed` with the value. */
function picker(label, choices, value, changed) {
  const select = html("select");
  const add = (parent, [key, name]) => parent.append(html("option", { value: key }, name));
  if (Array.isArray(choices)) {
    choices.forEach((name, index) => add(select, [index, name]));
  } else {
    for (const [group, items] of Object.entries(choices)) {
      const parent = group ? html("optgroup", { label: group }) : select;
      items.forEach((item) => add(parent, item));
      if (group) select.append(parent);
    }
  }
  select.value = String(value);
  select.addEventListener("change", () => changed(Number(select.value)));
  return html("label", { class: "picker" }, html("span", {}, label), select);
}

/** A row of buttons of which one is pressed; calls `changed` with its index. */
function choice(label, names, value, changed) {
  const buttons = names.map((name) => html("button", { type: "button" }, name));
  const press = (pressed) => buttons.forEach((b, i) => b.setAttribute("aria-pressed", i === pressed));
  buttons.forEach((button, index) => button.addEventListener("click", () => { press(index); changed(index); }));
  press(value);
  return html("div", { class: "choice", role: "group", "aria-label": label }, html("span", {}, label), ...buttons);
}

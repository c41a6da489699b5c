// The page: title and notes, leading tables, pictures, curves, the other tables.

function tableElement(table) {
  const head = html("tr", {}, ...table.header.map((text) => html("th", { scope: "col" }, text)));
  const rows = table.rows.map((row) =>
    html("tr", {}, ...row.map((text, i) => html(i ? "td" : "th", i ? {} : { scope: "row" }, text))));
  const element = html("table", {}, html("thead", {}, head), html("tbody", {}, ...rows));
  return html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.title }, element);
}

function leadTable(table) {
  const parts = [html("h3", {}, table.title)];
  if (table.note) parts.push(html("p", { class: "note" }, table.note));
  return html("div", { class: "table" }, ...parts, tableElement(table));
}

function foldedTable(table) {
  const parts = [html("summary", {}, table.title)];
  if (table.note) parts.push(html("p", { class: "note" }, table.note));
  return html("details", { class: "table" }, ...parts, tableElement(table));
}

function buildPage(data) {
  document.title = data.title;
  const lead = data.tables.filter((table) => table.lead);
  const others = data.tables.filter((table) => !table.lead);
  const sections = [];
  if (lead.length) sections.push(["Summary", ...lead.map(leadTable)]);
  if (data.wipes.length) sections.push(["Pictures", wipeViewer(data.wipes)]);
  if (data.plots.length) sections.push(["Curves", plotViewer(data.plots)]);
  if (others.length) sections.push(["Tables", ...others.map(foldedTable)]);
  const several = sections.length > 1;
  const links = sections.map(([name]) => html("a", { href: `#${name.toLowerCase()}` }, name));
  const nav = several ? [html("nav", { "aria-label": "Sections" }, ...links)] : [];
  const elements = sections.map(([name, ...content]) =>
    html("section", { id: name.toLowerCase() }, ...(several ? [html("h2", {}, name)] : []), ...content));
  const notes = data.notes.map((text) => html("p", { class: "note" }, text));
  const header = html("header", {}, html("h1", {}, data.title), ...notes);
  document.body.append(...nav, header, html("main", {}, ...elements));
}

buildPage(JSON.parse(document.getElementById("data").textContent));

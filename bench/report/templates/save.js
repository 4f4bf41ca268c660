// Charts as SVG, PNG and CSV, tables as CSV and LaTeX, from the page itself; and each chart's values as a table.
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const SHEET_SCALE = 2;
const MOST_VALUES = 500;

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

function save(content, type, name) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const fileName = (text) => text.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^-|-$/g, "").toLowerCase();

// The still image as a file: on white, in the colours of its specification.
function svgText(figure) {
  const svg = figure.querySelector(".still svg").cloneNode(true);
  const [, , width, height] = svg.getAttribute("viewBox").split(/[ ,]+/).map(Number);
  for (const [name, value] of Object.entries({ width, height, "font-family": "Arial, Helvetica, sans-serif" })) svg.setAttribute(name, value);
  const paper = document.createElementNS(svg.namespaceURI, "rect");
  for (const [name, value] of Object.entries({ width, height, fill: "#ffffff" })) paper.setAttribute(name, value);
  svg.prepend(paper);
  return { text: new XMLSerializer().serializeToString(svg), width, height };
}

async function png(figure) {
  const { text, width, height } = svgText(figure);
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = element("canvas", { width: SHEET_SCALE * width, height: SHEET_SCALE * height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// The rows that a specification draws, each once, with the columns of all; what only places a line is left out.
function rowsOf(spec) {
  const sets = new Map();
  const add = (values) => {
    if (Array.isArray(values) && Object.keys(values[0] ?? {}).length > 1) sets.set(JSON.stringify(values), values);
  };
  const visit = (node) => {
    if (!node || typeof node !== "object") return;
    add(node.data?.values);
    Object.values(node).forEach(visit);
  };
  visit(spec);
  Object.values(spec.datasets ?? {}).forEach(add);
  const rows = [...sets.values()].flat();
  const columns = [...new Set(rows.flatMap(Object.keys))];
  return { rows, columns };
}

function csvOf({ rows, columns }) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    const written = typeof value === "object" ? JSON.stringify(value) : String(value);
    const text = FORMULA.test(written) && Number.isNaN(Number(written)) ? `'${written}` : written;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))].map((line) => line.map(cell).join(",")).join("\n") + "\n";
}

function tableOf(title, { rows, columns }) {
  const written = (value) => (value === null || value === undefined ? "" : typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value));
  const head = element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name.replaceAll("_", " "))));
  const body = rows.slice(0, MOST_VALUES).map((row) => element("tr", {}, ...columns.map((name) => element("td", {}, written(row[name])))));
  const more = rows.length > MOST_VALUES ? ` The first ${MOST_VALUES} of ${rows.length} rows; the CSV has all.` : "";
  const table = element("table", { className: "finding drawn" }, element("caption", {}, element("span", {}, `${title}: what it draws.${more}`)),
    element("thead", {}, head), element("tbody", {}, ...body));
  const scroll = element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `${title}, values` }, table);
  return scroll;
}

async function start() {
  const holder = document.getElementById("page-data");
  if (!holder) return;
  const content = () => globalThis.packed(holder);
  for (const figure of document.querySelectorAll("figure.chart")) {
    const title = figure.querySelector("h4").textContent;
    const values = element("details", { className: "fold values" }, element("summary", {}, "Values"));
    values.addEventListener("toggle", async () => {
      if (values.open && !values.querySelector("table")) values.append(tableOf(title, rowsOf((await content()).specs[figure.dataset.chart])));
    });
    figure.querySelector("figcaption").append(" ", values);
  }
  for (const place of document.querySelectorAll("section.topic, .overview figure")) {
    const lines = [];
    for (const figure of place.matches("figure") ? [place] : place.querySelectorAll("figure.chart")) {
      const title = figure.querySelector("h4").textContent;
      const name = fileName(title);
      lines.push([title, {
        SVG: () => save(svgText(figure).text, "image/svg+xml", `${name}.svg`),
        PNG: async () => save(await png(figure), "image/png", `${name}.png`),
        CSV: async () => save(csvOf(rowsOf((await content()).specs[figure.dataset.chart])), "text/csv", `${name}.csv`),
      }]);
    }
    for (const table of place.querySelectorAll("[data-table]")) {
      const title = table.dataset.title;
      const name = fileName(title);
      const kind = (format, type, ending) => async () => save((await content()).tables[table.dataset.table][format], type, `${name}.${ending}`);
      lines.push([title, {
        ...(table.querySelector(".board") ? {} : { CSV: kind("csv", "text/csv", "csv") }),
        LaTeX: kind("tex", "application/x-tex", "tex"),
      }]);
    }
    if (!lines.length) continue;
    const rows = lines.map(([title, formats]) => element("div", {}, element("span", {}, title), ...Object.entries(formats).map(([format, write]) => {
      const button = element("button", { type: "button", ariaLabel: `${title} as ${format}` }, format);
      button.addEventListener("click", write);
      return button;
    })));
    const menu = element("details", { className: "save" }, element("summary", {}, "Save"), element("div", { className: "menu" }, ...rows));
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
    menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); } });
    place.append(menu);
  }
}

start();

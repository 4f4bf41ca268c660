// The leaderboard's controls. DataTables sorts, searches, pages, hides and groups; without scripts the table is plain.
await library("datatables");
const $ = globalThis.jQuery;
const DataTable = $.fn.dataTable;
const PAGE = 100;

// Numbers in full from data-order; what has none stays below, whichever way the column is sorted.
const numeric = (sign) => (a, b) => {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (a - b);
};
DataTable.type("metric", {
  className: "",
  order: { pre: (value) => (value === "" ? null : Number(value)), asc: numeric(1), desc: numeric(-1) },
});

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

let named = 0;

function labelled(text, control) {
  control.id = `control-${++named}`;
  return element("div", { className: "field" }, element("label", { htmlFor: control.id }, text), control);
}

// A column per axis behind the label, hidden until asked for, and two at the end that keep published results together
// and what is not ranked below.
function addColumns(table, data) {
  const [head] = table.tHead.rows;
  const heading = (text) => element("th", { scope: "col", textContent: text });
  head.cells[0].after(...data.axes.map((axis) => heading(axis.name)));
  head.append(heading("published"), heading("tier"));
  [...table.tBodies[0].rows].forEach((row, place) => {
    const cells = data.axes.map((axis) => {
      const value = axis.rows[place];
      const cell = element("td", { className: "axis", textContent: value === null ? "" : axis.values[value] });
      cell.dataset.order = value ?? "";
      return cell;
    });
    row.cells[0].after(...cells);
    row.append(
      element("td", { textContent: Number(row.classList.contains("published")) }),
      element("td", { textContent: data.tiers[place] }),
    );
  });
}

function columnsOf(node, data) {
  const headings = [...node.tHead.rows[0].cells];
  return headings.map((cell, index) => ({
    index,
    heading: cell,
    title: cell.textContent.trim(),
    name: cell.dataset.column ?? "",
    axis: index > 0 && index <= data.axes.length,
    metric: cell.matches(".number, .symbol"),
    open: index === 0 || data.open.includes(cell.dataset.column),
    inner: index >= headings.length - 2,
  }));
}

function dataTable(node, columns, tier, paged, groupHead) {
  const places = (wanted) => columns.filter(wanted).map((column) => column.index);
  return new DataTable(node, {
    autoWidth: false,
    info: false,
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
    order: [],
    orderFixed: { pre: [[tier, "asc"]] },
    pageLength: PAGE,
    paging: paged,
    columnDefs: [
      { targets: places((column) => column.metric), type: "metric", orderSequence: ["desc", "asc", ""] },
      { targets: places((column) => column.name === "interval"), orderable: false, searchable: false },
      { targets: places((column) => column.axis), type: "metric", visible: false },
      { targets: places((column) => column.inner), visible: false, searchable: false },
      { targets: places((column) => !column.axis && !column.inner && !column.open), visible: false },
    ],
    rowGroup: { enable: false, dataSrc: () => "", startRender: groupHead },
  });
}

// What every control of a leaderboard works on. `restore` holds what sets each from the page's address, once the table
// stands; `group` is the column by which the rows are grouped, or null.
function boardOf(root) {
  const data = JSON.parse(document.getElementById(root.dataset.values).textContent);
  const node = root.querySelector("table");
  addColumns(node, data);
  const columns = columnsOf(node, data);
  const [publishedColumn, tier] = columns.slice(-2).map((column) => column.index);
  const published = [...node.tBodies[0].rows].map((row) => row.classList.contains("published"));
  const paged = published.length > PAGE;
  const board = { root, data, node, columns, publishedColumn, tier, published, paged };
  Object.assign(board, { state: stateOf(root), scroll: root.querySelector(".scroll"), restore: [], group: null });
  board.table = dataTable(node, columns, tier, paged, (rows) => groupHead(board, rows));
  return board;
}

function groupValue({ table, data, published, group }, row) {
  if (published[row]) return "published";
  if (!group.axis) return table.cell(row, group.index).node().textContent.trim();
  const axis = data.axes[group.index - 1];
  return axis.values[axis.rows[row]];
}

function groupHead(board, rows) {
  const { table, data, columns, published } = board;
  const test = columns.find((column) => column.name === "test").index;
  const indexes = rows.indexes().toArray();
  const ours = indexes.filter((row) => !published[row] && data.tiers[row] === 0);
  const value = groupValue(board, indexes[0]) || "–";
  const numbers = ours.map((row) => table.cell(row, test).node().dataset.order).filter((text) => text !== "");
  const written = (number) => (data.percent ? (100 * number).toFixed(2) : number.toFixed(4));
  const parts = [published[indexes[0]] ? "Published results" : `${board.group.title}: ${value}`];
  parts.push(`${indexes.length} ${indexes.length === 1 ? "row" : "rows"}`);
  if (numbers.length) {
    const span = [Math.min(...numbers), Math.max(...numbers)].map(written);
    parts.push(`test ${span[0] === span[1] ? span[0] : span.join(" to ")}`);
  }
  const [title, ...rest] = parts;
  const width = table.columns(":visible").count();
  const cell = element("th", { colSpan: width, scope: "rowgroup" });
  cell.append(element("b", { textContent: title }), element("span", { textContent: ` · ${rest.join(" · ")}` }));
  return element("tr", { className: "group" }, cell);
}

function regroup(board, index) {
  const { table, columns, publishedColumn, tier } = board;
  const group = index === "" ? null : columns[Number(index)];
  board.group = group;
  if (group) {
    // RowGroup hands over a row's data; this leads back to its place.
    const places = new Map(table.rows().indexes().toArray().map((row) => [table.row(row).data(), row]));
    table.order.fixed({ pre: [[publishedColumn, "asc"], [group.index, group.metric ? "desc" : "asc"], [tier, "asc"]] });
    table.rowGroup().dataSrc((row) => groupValue(board, places.get(row))).rowGroup().enable();
  } else {
    table.order.fixed({ pre: [[tier, "asc"]] });
    table.rowGroup().disable();
  }
  table.draw();
}

const byTitle = (columns, title) => columns.find((column) => column.title === title);

function searchControl({ table, state, restore }) {
  const search = element("input", { type: "search", placeholder: "any words" });
  search.addEventListener("input", () => {
    table.search(search.value).draw();
    state.set("filter", search.value);
  });
  restore.push(() => {
    search.value = state.get("filter") ?? "";
    if (search.value) table.search(search.value);
  });
  return labelled("Filter", search);
}

function groupControl(board) {
  const { columns, state, restore } = board;
  const grouping = element("select", {}, element("option", { value: "", textContent: "nothing" }));
  for (const [label, wanted] of [
    ["Axes", (column) => column.axis],
    ["Columns", (column) => !column.axis && !column.inner && column.index > 0 && column.name !== "interval"],
  ]) {
    const options = columns.filter(wanted);
    if (!options.length) continue;
    grouping.append(element("optgroup", { label }, ...options.map(({ index, title }) =>
      element("option", { value: index, textContent: title }))));
  }
  grouping.addEventListener("change", () => {
    regroup(board, grouping.value);
    state.set("group", grouping.value && columns[Number(grouping.value)].title);
  });
  restore.push(() => {
    const column = byTitle(columns, state.get("group"));
    if (!column) return;
    grouping.value = column.index;
    regroup(board, grouping.value);
  });
  return labelled("Group by", grouping);
}

function menu(title, ...items) {
  const made = element("details", {}, element("summary", { textContent: title }));
  made.append(element("div", { className: "menu" }, ...items));
  return made;
}

function checkbox(text, checked, change) {
  const box = element("input", { type: "checkbox", checked });
  box.addEventListener("change", () => change(box.checked));
  return element("label", {}, box, text);
}

function axisFilter({ table, published, state, restore }, axis) {
  const select = element("select", {}, element("option", { value: "", textContent: "all" }));
  select.append(...axis.values.map((text, value) => element("option", { value, textContent: text })));
  select.addEventListener("change", () => {
    const value = select.value === "" ? null : Number(select.value);
    // Published results have no axes; they have a switch of their own.
    const keep = (_text, _row, row) => published[row] || axis.rows[row] === value;
    table.search.fixed(`axis ${axis.name}`, value === null ? null : keep).draw();
    state.set(`axis ${axis.name}`, value === null ? null : axis.values[value]);
  });
  restore.push(() => {
    const value = axis.values.indexOf(state.get(`axis ${axis.name}`));
    if (value < 0) return;
    select.value = value;
    select.dispatchEvent(new Event("change"));
  });
  return labelled(axis.name, select);
}

function columnsMenu({ table, columns, state, restore }) {
  const hideable = columns.filter((column) => column.index > 0 && !column.inner);
  const nameOf = ({ name, title }) => (name === "interval" ? "Interval, drawn" : title);
  const isOpen = ({ axis, open }) => !axis && open;
  const saveState = () => {
    const changed = hideable.filter((column) => table.column(column.index).visible() !== isOpen(column));
    state.set("columns", changed.map(nameOf).join(";"));
  };
  return menu("Columns", ...hideable.map((column) => {
    const label = checkbox(nameOf(column), isOpen(column), (on) => {
      table.column(column.index).visible(on);
      saveState();
    });
    restore.push(() => {
      if (!(state.get("columns") ?? "").split(";").includes(nameOf(column))) return;
      label.firstChild.checked = !isOpen(column);
      table.column(column.index).visible(!isOpen(column));
    });
    return label;
  }));
}

function publishedSwitch({ table, published, state, restore }) {
  const label = checkbox("Published results", true, (on) => {
    table.search.fixed("published", on ? null : (_text, _row, row) => !published[row]).draw();
    state.set("published", on ? null : "no");
  });
  restore.push(() => {
    if (state.get("published") === "no") label.firstChild.click();
  });
  return element("div", { className: "switch" }, label);
}

function exportButton({ root, data, table }) {
  const button = element("button", { type: "button", textContent: "Export CSV" });
  button.title = "The rows displayed, in this order, with all digits";
  button.addEventListener("click", () => {
    const rows = table.rows({ search: "applied", order: "applied", page: "all" }).indexes().toArray();
    const text = [data.csv[0], ...rows.map((row) => data.csv[row + 1]), ""].join("\n");
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    const name = root.dataset.name.replace(/[^A-Za-z0-9.]+/g, "-");
    element("a", { href: url, download: `leaderboard-${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  return button;
}

// Menus close at a click elsewhere, and at Escape.
function closeMenus(tools) {
  const menus = [...tools.querySelectorAll(":scope > details")];
  document.addEventListener("click", (event) => menus.forEach((one) => {
    if (!one.contains(event.target)) one.open = false;
  }));
  tools.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menus.filter((one) => one.open).forEach((one) => {
      one.open = false;
      one.querySelector("summary").focus();
    });
  });
}

// A phone has the rows first, and the controls behind a word.
function toolbox(board) {
  const tools = element("div", { className: "tools" }, searchControl(board), groupControl(board));
  const filters = board.data.axes.map((axis) => axisFilter(board, axis));
  if (filters.length) tools.append(menu("Axis values", ...filters));
  tools.append(columnsMenu(board));
  if (board.published.includes(true)) tools.append(publishedSwitch(board));
  tools.append(exportButton(board));
  closeMenus(tools);
  const open = matchMedia("(min-width: 40rem)").matches;
  const summary = element("summary", { textContent: "Filter, group, columns" });
  return element("details", { className: "toolbox", open }, summary, tools);
}

function pageControls({ table }) {
  const turn = (text, where) => {
    const button = element("button", { type: "button", textContent: text });
    button.addEventListener("click", () => table.page(where).draw("page"));
    return button;
  };
  const [back, next] = [turn("Previous", "previous"), turn("Next", "next")];
  const length = element("select", {}, ...[PAGE, 500, -1].map((value) =>
    element("option", { value, textContent: value < 0 ? "all" : value })));
  length.addEventListener("change", () => table.page.len(Number(length.value)).draw());
  table.on("draw", () => {
    const { page, pages: all } = table.page.info();
    back.disabled = page === 0;
    next.disabled = page >= all - 1;
  });
  globalThis.addEventListener("beforeprint", () => table.page.len(-1).draw());
  globalThis.addEventListener("afterprint", () => table.page.len(Number(length.value)).draw());
  return [back, next, element("label", {}, "Rows on a page ", length)];
}

// Below the table: how many rows are displayed.
function rowCount({ table, node, scroll, paged }) {
  const count = element("span", { role: "status" });
  const measure = () => scroll.classList.toggle("fits", node.scrollWidth <= scroll.clientWidth);
  table.on("draw column-visibility", () => {
    const { start: from, end: to, recordsDisplay: found, recordsTotal: all } = table.page.info();
    const here = paged && found > to - from ? `${from + 1} to ${to} of ` : "";
    const rows = all === 1 ? "row" : "rows";
    count.textContent = found === all ? `${here}${all} ${rows}` : `${here}${found} of ${all} ${rows}`;
    measure();
  });
  new ResizeObserver(measure).observe(scroll);
  return count;
}

const DIRECTIONS = { asc: "ascending", desc: "descending" };

// DataTables leaves this out where an order is fixed.
function announceOrder({ table, columns }) {
  table.on("order", () => columns.forEach(({ heading, index }) => {
    const direction = table.order().find(([column]) => column === index)?.[1];
    if (DIRECTIONS[direction]) heading.setAttribute("aria-sort", DIRECTIONS[direction]);
    else heading.removeAttribute("aria-sort");
  }));
}

function restoreState({ table, columns, state, restore }) {
  restore.forEach((control) => control());
  const [title, way] = (state.get("sort") ?? "").split(";");
  if (byTitle(columns, title) && DIRECTIONS[way]) table.order([byTitle(columns, title).index, way]);
  table.draw();
  table.on("order", () => {
    const [[index, direction] = []] = table.order();
    state.set("sort", DIRECTIONS[direction] ? `${columns[index].title};${direction}` : null);
  });
}

function start(root) {
  const board = boardOf(root);
  board.scroll.before(toolbox(board));
  const pages = element("div", { className: "pages" }, rowCount(board));
  if (board.paged) pages.append(...pageControls(board));
  board.scroll.after(pages);
  announceOrder(board);
  restoreState(board);
}

document.querySelectorAll("[data-controls=leaderboard]").forEach(start);

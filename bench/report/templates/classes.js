// Any two configurations side by side, class by class: metrics with their differences, matrices, confused pairs.
(() => {
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const minus = (text) => text.replace("-", "−");
  const percent = (value, decimals) => (value === null ? "–" : (value / 100).toFixed(decimals));
  // Percentage points from 1/10,000, with a sign unless they are 0 as printed.
  const points = (value, decimals) => signed((value / 100).toFixed(decimals));
  const signed = (text) => (Number(text) === 0 ? text.replace("-", "") : minus((Number(text) > 0 ? "+" : "") + text));
  const MOST = 20;

  // Counts per seed, by cell number.
  const cells = (configuration) => {
    const counts = new Map();
    for (let i = 0; i < configuration.matrix.length; i += 2) counts.set(configuration.matrix[i], configuration.matrix[i + 1] / configuration.seeds);
    return counts;
  };

  const table = (caption, heading, rows, kind) =>
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      make("table", { class: kind },
        make("caption", {}, make("span", {}, caption)),
        make("thead", {}, make("tr", {}, ...heading)),
        make("tbody", {}, ...rows)));
  const columnHead = (text, number = true) => make("th", { scope: "col", ...(number ? { class: "number" } : {}) }, make("bdi", {}, text));
  const rowHead = (text) => make("th", { scope: "row" }, make("bdi", {}, text));
  const cell = (text, kind = "number") => make("td", { class: kind }, text);

  function metricTable(data, indexA, indexB, left, right, metric) {
    const halves = left.half[indexB] ?? right.half[indexA] ?? null;
    const decimals = Math.min(left.decimals, right.decimals);
    const rows = data.classes.map((name, number) => {
      const [a, b] = [left.metrics[metric][number], right.metrics[metric][number]];
      const half = halves ? halves[metric][number] : null;
      const difference = a === null || b === null ? null : a - b;
      const significant = difference !== null && half !== null && Math.abs(difference) > half;
      const text = difference === null ? "–" : points(difference, decimals) + (half === null ? "" : " ± " + (half / 100).toFixed(2));
      return [difference, make("tr", {}, rowHead(name), cell(percent(a, left.decimals)), cell(percent(b, right.decimals)),
        cell(text, "number" + (significant ? (difference > 0 ? " better" : " worse") : "")), cell(String(left.support[number])))];
    });
    const all = rows.length;
    if (all > MOST) rows.sort((x, y) => Math.abs(y[0] ?? 0) - Math.abs(x[0] ?? 0)).length = MOST;
    const caption = `${data.metrics[metric]} in %, and the difference A − B in points` +
      (halves ? `, ± half of its 95 % interval on new images${left.seeds + right.seeds > 2 ? "" : ", for these two networks alone"}; shaded where the interval excludes 0, without correction for the number of classes` : ", without an interval for this pair") +
      (all > MOST ? `. The ${MOST} classes that differ most of ${all}.` : ".");
    return table(caption, [columnHead("Class", false), columnHead("A"), columnHead("B"), columnHead("A − B"), columnHead("Test images")], rows.map((row) => row[1]), "classes");
  }

  function order(data, left, right) {
    const size = data.classes.length;
    if (size <= MOST) return [...data.classes.keys()];
    const weight = new Array(size).fill(0);
    for (const index of new Set([...left.keys(), ...right.keys()])) {
      const change = Math.abs((left.get(index) ?? 0) - (right.get(index) ?? 0));
      weight[Math.floor(index / size)] += change;
      weight[index % size] += change;
    }
    return [...weight.keys()].sort((a, b) => weight[b] - weight[a]).slice(0, MOST).sort((a, b) => a - b);
  }

  const count = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(1));

  function matrix(data, caption, displayed, value, missing, signs) {
    const size = data.classes.length;
    const values = displayed.map((row) => displayed.map((column) => value(row * size + column)));
    const most = Math.max(1e-9, ...values.flatMap((row, i) => (missing.includes(displayed[i]) ? [] : row.map(Math.abs))));
    const rows = displayed.map((row, i) => make("tr", {}, rowHead(data.classes[row]), ...values[i].map((number, j) => {
      if (missing.includes(row)) return cell("", "");
      const none = Math.abs(number) < 0.05;
      const total = values[i].reduce((sum, n) => sum + n, 0);
      const strength = Math.sqrt(Math.abs(number) / (signs ? most : Math.max(total, 1e-9)));
      const good = (number > 0) === (i === j);
      const kind = signs && !none ? (good ? "gain" : "loss") : "";
      const element = cell(signs ? (none ? "0" : signed(count(number))) : count(number), kind);
      if (!none) element.style.setProperty("--s", Math.min(strength, 1).toFixed(2));
      return element;
    })));
    return table(caption, [columnHead("true \\ predicted", false), ...displayed.map((number) => columnHead(data.classes[number], false))], rows, "matrix");
  }

  function pairs(data, left, right, missing) {
    const size = data.classes.length;
    const indices = [...new Set([...left.keys(), ...right.keys()])]
      .filter((index) => Math.floor(index / size) !== index % size && !missing.includes(Math.floor(index / size)));
    const largest = (index) => Math.max(left.get(index) ?? 0, right.get(index) ?? 0);
    const rows = indices.sort((a, b) => largest(b) - largest(a)).slice(0, 12).map((index) => {
      const [a, b] = [left.get(index) ?? 0, right.get(index) ?? 0];
      return make("tr", {}, rowHead(data.classes[Math.floor(index / size)]), cell(data.classes[index % size], ""),
        cell(count(a)), cell(count(b)), cell(signed(count(a - b))));
    });
    return table("Most confused pairs of either, images per seed.",
      [columnHead("True", false), columnHead("Predicted", false), columnHead("A"), columnHead("B"), columnHead("A − B")], rows, "");
  }

  function compare(container) {
    const data = JSON.parse(document.getElementById(container.dataset.values).textContent);
    const all = data.configurations;
    if (all.length < 2) return;
    const select = (text, options, selected) => {
      const input = make("select", { "aria-label": text });
      options.forEach((label, number) => input.append(new Option(label, String(number), false, number === selected)));
      return [input, make("label", {}, make("span", {}, text), input)];
    };
    const labels = all.map((one) => one.label);
    const state = stateOf(container);
    const controls = [["A", labels, 0], ["B", labels, 1], ["Metric", data.metrics, 1], ["Matrix", ["A − B", "A", "B"], 0]];
    const made = controls.map(([text, options, standard]) => {
      const wanted = options.indexOf(state.get(text.toLowerCase()));
      return select(text, options, wanted < 0 ? standard : wanted);
    });
    const [[first, firstLabel], [second, secondLabel], [metric, metricLabel], [kind, kindLabel]] = made;
    for (const label of [metricLabel, kindLabel]) label.classList.add("short");
    const out = make("div", { class: "compared", "aria-live": "polite" });
    const draw = () => {
      const [indexA, indexB, metricIndex] = [Number(first.value), Number(second.value), Number(metric.value)];
      const [left, right] = [all[indexA], all[indexB]];
      const [a, b] = [cells(left), cells(right)];
      const missing = [...left.missing, ...right.missing];
      const displayed = order(data, a, b);
      const part = displayed.length < data.classes.length ? ` The ${displayed.length} classes that differ most.` : "";
      const seeds = (one) => (one.seeds > 1 ? `, mean of ${one.seeds} seeds` : "");
      const side = (name, one, counts) =>
        matrix(data, `${name}: ${one.label}${seeds(one)}`, displayed, (index) => counts.get(index) ?? 0, one.missing, false);
      const matrices = [
        () => matrix(data, `A − B: images per seed. Blue is better for A (more on the diagonal, fewer off it), orange worse.${part}`,
          displayed, (index) => (a.get(index) ?? 0) - (b.get(index) ?? 0), missing, true),
        () => side("A", left, a),
        () => side("B", right, b),
      ];
      const more = out.querySelector("details")?.open ? { open: "" } : {};
      out.replaceChildren(
        make("div", { class: "pair" }, metricTable(data, indexA, indexB, left, right, metricIndex), matrices[Number(kind.value)]()),
        make("details", { class: "fold", ...more }, make("summary", {}, "Most confused pairs"), pairs(data, a, b, missing)));
    };
    made.forEach(([input], number) => input.addEventListener("change", () => {
      const [text, options, standard] = controls[number];
      const position = Number(input.value);
      state.set(text.toLowerCase(), position === standard ? null : options[position]);
      draw();
    }));
    // What stands open for readers without scripts is what the two sides display.
    const table = container.querySelector(".scroll");
    const heading = container.previousElementSibling;
    const fold = make("details", { class: "fold" }, make("summary", {}, heading.textContent));
    heading.remove();
    table.before(fold);
    fold.append(table);
    for (const block of container.closest("section").querySelectorAll("details.blocks")) block.open = false;
    container.prepend(make("div", { class: "compare" },
      make("div", { class: "choices" }, firstLabel, secondLabel, metricLabel, kindLabel), out));
    draw();
  }

  document.querySelectorAll("[data-controls=classes]").forEach(compare);
})();

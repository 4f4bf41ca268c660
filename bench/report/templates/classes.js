// Any two configurations side by side, class by class: figures with their differences, matrices, confused pairs.
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

  // Counts of one seed on the average, by cell.
  const cells = (one) => {
    const found = new Map();
    for (let i = 0; i < one.matrix.length; i += 2) found.set(one.matrix[i], one.matrix[i + 1] / one.seeds);
    return found;
  };

  const table = (caption, heading, rows, kind) =>
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      make("table", { class: kind },
        make("caption", {}, make("span", {}, caption)),
        make("thead", {}, make("tr", {}, ...heading)),
        make("tbody", {}, ...rows)));
  const head = (text, number = true) => make("th", { scope: "col", ...(number ? { class: "number" } : {}) }, text);
  const rowHead = (text) => make("th", { scope: "row" }, text);
  const cell = (text, kind = "number") => make("td", { class: kind }, text);

  function figures(data, one, two, ours, theirs, which) {
    const halves = ours.half[two] ?? theirs.half[one] ?? null;
    const exact = Math.min(ours.decimals, theirs.decimals);
    const rows = data.classes.map((name, number) => {
      const [a, b] = [ours.figures[which][number], theirs.figures[which][number]];
      const half = halves ? halves[which][number] : null;
      const difference = a === null || b === null ? null : a - b;
      const sure = difference !== null && half !== null && Math.abs(difference) > half;
      const text = difference === null ? "–" : points(difference, exact) + (half === null ? "" : " ± " + (half / 100).toFixed(2));
      return [difference, make("tr", {}, rowHead(name), cell(percent(a, ours.decimals)), cell(percent(b, theirs.decimals)),
        cell(text, "number" + (sure ? (difference > 0 ? " better" : " worse") : "")), cell(String(ours.support[number])))];
    });
    const all = rows.length;
    if (all > MOST) rows.sort((x, y) => Math.abs(y[0] ?? 0) - Math.abs(x[0] ?? 0)).length = MOST;
    const caption = `${data.figures[which]} in %, and the difference A − B in points` +
      (halves ? `, ± half of its 95 % interval on new images${ours.seeds + theirs.seeds > 2 ? "" : ", for these two networks alone"}; shaded where that leaves out 0, each class by itself` : ", without an interval for this pair") +
      (all > MOST ? `. The ${MOST} classes that differ most of ${all}.` : ".");
    return table(caption, [head("Class", false), head("A"), head("B"), head("A − B"), head("Test images")], rows.map((row) => row[1]), "classes");
  }

  function order(data, ours, theirs) {
    const size = data.classes.length;
    if (size <= MOST) return [...data.classes.keys()];
    const weight = new Array(size).fill(0);
    for (const place of new Set([...ours.keys(), ...theirs.keys()])) {
      const change = Math.abs((ours.get(place) ?? 0) - (theirs.get(place) ?? 0));
      weight[Math.floor(place / size)] += change;
      weight[place % size] += change;
    }
    return [...weight.keys()].sort((a, b) => weight[b] - weight[a]).slice(0, MOST).sort((a, b) => a - b);
  }

  const count = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(1));

  function matrix(data, caption, shown, value, missing, signs) {
    const size = data.classes.length;
    const whole = shown.map((row) => shown.map((column) => value(row * size + column)));
    const most = Math.max(1e-9, ...whole.flatMap((row, i) => (missing.includes(shown[i]) ? [] : row.map(Math.abs))));
    const rows = shown.map((row, i) => make("tr", {}, rowHead(data.classes[row]), ...whole[i].map((number, j) => {
      if (missing.includes(row)) return cell("", "zero");
      const none = Math.abs(number) < 0.05;
      const total = whole[i].reduce((sum, n) => sum + n, 0);
      const strength = Math.sqrt(Math.abs(number) / (signs ? most : Math.max(total, 1e-9)));
      const good = (number > 0) === (i === j);
      const kind = [none ? "zero" : strength > 0.8 ? "deep" : "", signs && !none ? (good ? "gain" : "loss") : ""].join(" ").trim();
      const made = cell(signs ? (none ? "0" : signed(count(number))) : count(number), kind);
      if (!none) made.style.setProperty("--s", Math.min(strength, 1).toFixed(2));
      return made;
    })));
    return table(caption, [head("true \\ predicted", false), ...shown.map((number) => head(data.classes[number], false))], rows, "matrix");
  }

  function pairs(data, ours, theirs, missing) {
    const size = data.classes.length;
    const places = [...new Set([...ours.keys(), ...theirs.keys()])]
      .filter((place) => Math.floor(place / size) !== place % size && !missing.includes(Math.floor(place / size)));
    const largest = (place) => Math.max(ours.get(place) ?? 0, theirs.get(place) ?? 0);
    const rows = places.sort((a, b) => largest(b) - largest(a)).slice(0, 12).map((place) => {
      const [a, b] = [ours.get(place) ?? 0, theirs.get(place) ?? 0];
      return make("tr", {}, rowHead(data.classes[Math.floor(place / size)]), cell(data.classes[place % size], ""),
        cell(count(a)), cell(count(b)), cell(signed(count(a - b))));
    });
    return table("Most confused pairs of either, images of one seed on the average.",
      [head("True", false), head("Taken for", false), head("A"), head("B"), head("A − B")], rows, "");
  }

  function compare(place) {
    const data = JSON.parse(document.getElementById(place.dataset.classes).textContent);
    const all = data.configurations;
    if (all.length < 2) return;
    const select = (text, options, chosen) => {
      const made = make("select", { "aria-label": text });
      options.forEach((label, number) => made.append(new Option(label, String(number), false, number === chosen)));
      return [made, make("label", {}, make("span", {}, text), made)];
    };
    const labels = all.map((one) => one.label);
    const [first, firstLabel] = select("A", labels, 0);
    const [second, secondLabel] = select("B", labels, 1);
    const [figure, figureLabel] = select("Figure", data.figures, 1);
    figureLabel.classList.add("short");
    const out = make("div", { class: "compared", "aria-live": "polite" });
    const draw = () => {
      const [one, two, which] = [Number(first.value), Number(second.value), Number(figure.value)];
      const [ours, theirs] = [all[one], all[two]];
      const [a, b] = [cells(ours), cells(theirs)];
      const missing = [...ours.missing, ...theirs.missing];
      const shown = order(data, a, b);
      const part = shown.length < data.classes.length ? ` The ${shown.length} classes that differ most.` : "";
      const seeds = (its) => (its.seeds > 1 ? `, mean of ${its.seeds} seeds` : "");
      out.replaceChildren(
        make("div", { class: "pair" }, figures(data, one, two, ours, theirs, which), pairs(data, a, b, missing)),
        matrix(data, `A − B: images of one seed on the average. Blue is better for A (more on the diagonal, fewer off it), orange worse.${part}`,
          shown, (place) => (a.get(place) ?? 0) - (b.get(place) ?? 0), missing, true),
        make("div", { class: "sides" },
          matrix(data, `A: ${ours.label}${seeds(ours)}`, shown, (place) => a.get(place) ?? 0, ours.missing, false),
          matrix(data, `B: ${theirs.label}${seeds(theirs)}`, shown, (place) => b.get(place) ?? 0, theirs.missing, false)));
    };
    for (const input of [first, second, figure]) input.addEventListener("change", draw);
    place.append(make("h4", {}, "Two configurations side by side"),
      make("div", { class: "choices" }, firstLabel, secondLabel, figureLabel), out);
    place.hidden = false;
    draw();
  }

  document.querySelectorAll("[data-classes]").forEach(compare);
})();

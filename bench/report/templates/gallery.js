// The gallery of misclassified images: choose a configuration and a pair of classes.
(() => {
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const percent = (value) => (value === null ? "" : ` ${(value / 10).toFixed(1)}\u00a0%`);
  const grouped = (value) => value.toLocaleString("en-US");

  function browse(place) {
    const data = JSON.parse(document.getElementById(place.dataset.values).textContent);
    const state = stateOf(place);
    const positions = new Map(data.positions.map((image, number) => [image, number]));
    const list = place.querySelector(".shots");
    const status = place.querySelector("[aria-live]");
    const configuration = make("select", { "aria-label": "Configuration" });
    const pair = make("select", { "aria-label": "Pair" });
    data.configurations.forEach((one, number) => configuration.append(new Option(one.label, String(number))));

    const shot = (one, [image, label, predicted, seeds, confidence, trueClassProbability]) => {
      const line = (word, name, value) => make("span", {}, `${word} `, make("b", {}, data.classes[name]), percent(value));
      const made = make("li", { class: "shot" });
      if (positions.has(image)) {
        const tile = make("i", { class: "tile", role: "img", "aria-label": `test image ${grouped(image)}` });
        tile.style.setProperty("--x", String(positions.get(image) % data.columns));
        tile.style.setProperty("--y", String(Math.floor(positions.get(image) / data.columns)));
        made.append(tile);
      }
      const which = `no. ${grouped(image)}` + (one.seeds > 1 && seeds > 0 ? `, ${seeds} of ${one.seeds} seeds` : "");
      made.append(make("span", { class: "quiet" }, which), line("label", label, trueClassProbability), line("predicted", predicted, confidence));
      return made;
    };

    const draw = () => {
      const one = data.configurations[Number(configuration.value)];
      if (pair.value === "all") {
        status.textContent = `${grouped(data.disagreed.length)} images whose label all seeds of all top configurations contradict in the same way: the label may be wrong, or all networks are.`;
        list.replaceChildren(...data.disagreed.map((issue) => shot(one, issue)));
        return;
      }
      const selected = one.pairs[Number(pair.value)];
      const displayed = selected
        ? one.displayed.filter(([, label, predicted]) => label === selected[0] && predicted === selected[1])
        : one.displayed.slice(0, one.first);
      const total = selected ? selected[2] : one.total;
      const what = selected ? ` of ${data.classes[selected[0]]} predicted as ${data.classes[selected[1]]}` : "";
      status.textContent = `${one.label}: ${grouped(displayed.length)} of ${grouped(total)} misclassified images${what}.`;
      list.replaceChildren(...displayed.map((mistake) => shot(one, mistake)));
    };
    const nameOf = (text) => data.classes[Number(text)];
    const offer = (wanted) => {
      const one = data.configurations[Number(configuration.value)];
      const before = wanted ?? (pair.value === "all" ? "all" : pair.selectedOptions[0]?.dataset.pair);
      pair.replaceChildren(new Option(`all pairs (${grouped(one.total)})`, "-1"));
      if (data.disagreed.length) {
        const made = new Option(`all leaders disagree with the label (${grouped(data.disagreed.length)})`, "all");
        made.selected = before === "all";
        pair.append(made);
      }
      one.pairs.forEach(([label, predicted, count], number) => {
        const made = new Option(`${data.classes[label]} predicted as ${data.classes[predicted]} (${grouped(count)})`, String(number));
        made.dataset.pair = `${label}/${predicted}`;
        made.selected = made.dataset.pair === before;
        pair.append(made);
      });
      draw();
    };
    const remember = () => {
      state.set("images", configuration.value === "0" ? null : data.configurations[Number(configuration.value)].label);
      const chosen = pair.value === "all" ? "all" : pair.selectedOptions[0]?.dataset.pair;
      state.set("pair", chosen?.includes("/") ? chosen.split("/").map(nameOf).join(" → ") : chosen ?? null);
    };
    configuration.addEventListener("change", () => {
      offer();
      remember();
    });
    pair.addEventListener("change", () => {
      draw();
      remember();
    });
    place.prepend(make("div", { class: "choices" },
      make("label", {}, make("span", {}, "Configuration"), configuration), make("label", {}, make("span", {}, "Pair"), pair)));
    const chosen = data.configurations.findIndex((one) => one.label === state.get("images"));
    if (chosen > 0) configuration.value = String(chosen);
    const wanted = state.get("pair");
    offer(wanted === "all" ? wanted : wanted?.split(" → ").map((name) => data.classes.indexOf(name)).join("/"));
  }

  document.querySelectorAll("[data-controls=gallery]").forEach(browse);
})();

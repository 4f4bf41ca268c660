// A chart that is pointed at becomes a live view of the same specification: names and values under the pointer, a
// legend to pick from. Until then, on paper and for those who use the keyboard, the still image stands.
const dark = matchMedia("(prefers-color-scheme: dark)");

for (const hint of document.querySelectorAll(".hint")) hint.hidden = !matchMedia("(hover: hover)").matches;

for (const figure of document.querySelectorAll("figure.chart")) {
  const still = figure.querySelector(".still");
  still.addEventListener("pointerenter", () => enliven(figure, still), { once: true });
}

async function enliven(figure, still) {
  const view = document.createElement("div");
  view.className = "view";
  view.setAttribute("aria-hidden", "true");
  view.style.maxWidth = still.style.maxWidth;
  still.after(view);
  await library("vega");
  const { specs } = await packed(document.getElementById("page-data"));
  await window.vegaEmbed(view, specs[figure.dataset.chart], {
    mode: "vega-lite",
    config: JSON.parse(document.getElementById("charts-config").textContent),
    // Vega would compile its expressions by eval, which the page forbids; with `ast` it interprets them.
    ast: true,
    renderer: "svg",
    actions: false,
    tooltip: { theme: dark.matches ? "dark" : "light" },
  });
  figure.classList.add("live");
}

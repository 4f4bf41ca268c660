// A page that `bench report --serve` made asks whether the ledger has changed, and opens itself anew. What was chosen
// is in the address; what was opened is remembered here. Nobody is interrupted: a menu in use is waited for.
const SECONDS = 2;
const version = document.querySelector('meta[name="ledger-version"]').content;
const status = document.querySelector(".live");
const KEY = "bench-open";
// By its section and words: new results bring new places.
const nameOf = (details) => `${details.closest("section[id]")?.id} ${details.querySelector("summary").textContent}`;
const places = () => [...document.querySelectorAll("details:not(.save, .tools details)")];

const opened = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
for (const details of places()) if (opened.has(nameOf(details))) details.open = true;
sessionStorage.removeItem(KEY);

const isBusy = () => document.activeElement?.matches("input, select") || document.querySelector(".tools details[open], .save[open]");

async function look() {
  try {
    const answer = await fetch("/", { method: "HEAD", cache: "no-store" });
    status.textContent = answer.ok ? "live" : "no report now";
    if (answer.ok && answer.headers.get("ETag") !== `"${version}"`) {
      status.textContent = "live · new results";
      if (!isBusy()) {
        sessionStorage.setItem(KEY, JSON.stringify(places().filter((details) => details.open).map(nameOf)));
        location.reload();
        return;
      }
    }
  } catch {
    status.textContent = "no longer live: the server has ended";
  }
  setTimeout(look, 1000 * SECONDS);
}

look();

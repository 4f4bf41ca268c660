// A page that `bench report --serve` made asks whether the ledger has changed, and opens itself anew. What was chosen
// is in the address; what was opened is remembered here. Nobody is interrupted: a menu in use is waited for.
const SECONDS = 2;
const version = document.querySelector('meta[name="ledger-version"]').content;
const status = document.querySelector(".live");
const places = () => [...document.querySelectorAll("details")];
const KEY = "bench-open";

for (const position of JSON.parse(sessionStorage.getItem(KEY) ?? "[]")) {
  const at = places()[position];
  if (at && !at.open) at.open = true;
}
sessionStorage.removeItem(KEY);

const isBusy = () => document.activeElement?.matches("input, select") || document.querySelector(".tools details[open], .save[open]");

async function look() {
  try {
    const answer = await fetch("/", { method: "HEAD", cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    status.textContent = "live";
    if (answer.headers.get("ETag") !== `"${version}"`) {
      status.textContent = "live · new results";
      if (!isBusy()) {
        const open = places().flatMap((details, position) => (details.open ? [position] : []));
        sessionStorage.setItem(KEY, JSON.stringify(open));
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

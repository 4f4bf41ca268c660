// What every page does: its address holds the state of its controls, and a link to what is folded opens it.
const query = () => new URLSearchParams(location.search);

// The state of the controls within `root`, by name; what is at its default is not in the address.
globalThis.stateOf = (root) => {
  const part = root.closest(".dataset")?.id.replace("part-", "") ?? "1";
  const key = (name) => (part === "1" ? name : `${name}-${part}`);
  return {
    get: (name) => query().get(key(name)),
    set(name, value) {
      const changed = query();
      if (value === null || value === "") changed.delete(key(name));
      else changed.set(key(name), value);
      const text = changed.toString();
      try {
        history.replaceState(history.state, "", `${location.pathname}${text && `?${text}`}${location.hash}`);
      } catch {
        // A page within another document, as in a notebook, has no address of its own.
      }
    },
  };
};

function reveal() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  const inside = target.querySelector(":scope > details");
  if (inside) inside.open = true;
  target.scrollIntoView();
}

addEventListener("hashchange", reveal);
// A link to the place that the address names already brings no event.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (link && link.hash === location.hash) setTimeout(reveal);
});
addEventListener("load", reveal);

// A page over http or https can hand its address on; the state is in it.
const stamp = document.querySelector(".stamp");
if (stamp && navigator.clipboard) {
  const copy = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: "Copy link" });
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy link"; }, 2000);
  });
  stamp.append(Object.assign(document.createElement("span"), { className: "copy", textContent: " · " }));
  stamp.lastChild.append(copy);
}

// What stands in the page compressed: libraries, of which `await library(name)` runs one, once, when it is first asked
// for, and data, which `await packed(holder)` reads.
const loading = {};
globalThis.library = (name) => (loading[name] ??= load(document.getElementById(`library-${name}`)));

const read = {};
globalThis.packed = (holder) => (read[holder.id] ??= text(holder).then(JSON.parse));

function text(holder) {
  const bytes = Uint8Array.from(atob(holder.textContent), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function load(holder) {
  // The page's policy names the script by the hash of its text; put into the page, it runs at once.
  const script = document.createElement("script");
  script.type = "text/javascript";
  script.textContent = await text(holder);
  document.head.append(script);
}

// The libraries stand in the page as data, compressed; `await library(name)` runs one, once, when it is first asked for.
const loading = {};
globalThis.library = (name) => (loading[name] ??= load(document.getElementById(`library-${name}`)));

async function load(holder) {
  const packed = Uint8Array.from(atob(holder.textContent), (character) => character.charCodeAt(0));
  const text = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  // The page's policy names the script by the hash of its text; put into the page, it runs at once.
  const script = document.createElement("script");
  script.type = "text/javascript";
  script.textContent = await new Response(text).text();
  document.head.append(script);
}

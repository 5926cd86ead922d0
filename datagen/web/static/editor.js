// The editor of grammars: numbers and colours of lines, and the way to the place of an error.
"use strict";

const KINDS = [
  ["c", /#[^\n]*/],
  ["s", /"(?:[^"\\\n]|\\.)*"/],
  ["h", /[A-Za-z_]\w*(?=\s*(?:->|\{))/],
  ["k", /\b(?:world|canvas|start|asset|max_depth|max_nodes|empty|max|in|mutable)\b|->/],
  ["n", /[+-]?\b\d+\.?\d*(?:[eE][+-]?\d+)?\b/],
];
const TOKEN = new RegExp(KINDS.map(([, pattern]) => `(${pattern.source})`).join("|"), "g");

const code = document.querySelector(".code");
const text = code.querySelector("textarea");
const lines = code.querySelector(".lines");
const paint = code.querySelector(".paint");

function painted(source) {
  const made = document.createDocumentFragment();
  let at = 0;
  for (const found of source.matchAll(TOKEN)) {
    made.append(source.slice(at, found.index));
    const span = document.createElement("span");
    span.className = KINDS[found.slice(1).findIndex((part) => part !== undefined)][0];
    span.textContent = found[0];
    made.append(span);
    at = found.index + found[0].length;
  }
  made.append(source.slice(at), "\n");
  return made;
}

function draw() {
  paint.replaceChildren(painted(text.value));
  const number = text.value.split("\n").length;
  while (lines.children.length > number) lines.lastChild.remove();
  while (lines.children.length < number) {
    const line = document.createElement("b");
    line.textContent = lines.children.length + 1;
    lines.append(line);
  }
  follow();
}

function follow() {
  paint.scrollTop = lines.scrollTop = text.scrollTop;
  paint.scrollLeft = text.scrollLeft;
}

function mark() {
  for (const line of lines.children) line.className = "";
  for (const place of document.querySelectorAll("#checked [data-line][data-wrong]")) {
    lines.children[place.dataset.line - 1]?.classList.add("bad");
  }
}

code.classList.add("painted");
text.addEventListener("input", draw);
text.addEventListener("scroll", follow);
draw();
mark();
document.addEventListener("htmx:afterSwap", mark);

document.addEventListener("click", (event) => {
  const place = event.target.closest?.("[data-line]");
  if (!place) return;
  const before = text.value.split("\n").slice(0, place.dataset.line - 1);
  const at = before.join("\n").length + (before.length ? 1 : 0) + Number(place.dataset.column) - 1;
  text.focus();
  text.setSelectionRange(at, at);
  const height = text.scrollHeight / text.value.split("\n").length;
  text.scrollTop = Math.max(0, height * (place.dataset.line - 6));
});

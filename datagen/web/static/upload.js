// Photos are sent one by one: how far it is can be seen, and one that is refused stops no other.
"use strict";

const form = document.getElementById("upload");
const told = form.querySelector(".told");
const AT_ONCE = 3;

async function sent(name, file) {
  const place = `/api/v1/targets/${name}/pictures/${encodeURIComponent(file.name)}`;
  const answer = await fetch(place, { method: "PUT", body: file });
  if (!answer.ok) throw new Error((await answer.json()).detail);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = form.elements.name.value;
  const waiting = [...form.elements.photos.files];
  const bar = document.createElement("progress");
  const line = document.createElement("p");
  bar.max = waiting.length;
  bar.value = 0;
  told.replaceChildren(bar, line);
  form.querySelector("button").disabled = true;
  const refused = [];
  const work = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      await sent(name, file).catch((error) => refused.push(`${file.name}: ${error.message}`));
      bar.value += 1;
      line.textContent = `${bar.value} of ${bar.max}`;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  form.querySelector("button").disabled = false;
  if (refused.length < bar.max) {
    const link = document.createElement("a");
    link.href = `/targets/${name}`;
    link.textContent = `Open ${name}`;
    line.append(" · ", link);
    if (!refused.length) location.assign(link.href);
  }
  for (const why of refused.slice(0, 10)) {
    const one = document.createElement("p");
    one.textContent = why;
    told.append(one);
  }
});

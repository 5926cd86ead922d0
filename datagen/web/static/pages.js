// What every page gains from a browser that runs scripts; all of it works without, less quickly.
"use strict";

const notice = () => document.getElementById("notice");
const isTyping = (target) => target.closest("input:not([type=checkbox]), textarea, select");

// j, k and the arrows follow the links to the next and to the previous picture or part of a list.
const KEYS = { j: "next", ArrowRight: "next", k: "prev", ArrowLeft: "prev" };
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
  const link = KEYS[event.key] && document.querySelector(`a[rel=${KEYS[event.key]}]`);
  if (link) {
    event.preventDefault();
    link.click();
  }
});

// What is drawn over pictures stays chosen from page to page.
for (const box of document.querySelectorAll("input[data-keep]")) {
  const kept = localStorage.getItem(`keep:${box.id}`);
  if (kept !== null) box.checked = kept === "yes";
  box.addEventListener("change", () => localStorage.setItem(`keep:${box.id}`, box.checked ? "yes" : "no"));
}

// A row of the list of things lights up its box.
document.addEventListener("pointerover", (event) => {
  const row = event.target.closest?.("[data-thing]");
  for (const lit of document.querySelectorAll(".box.on")) lit.classList.remove("on");
  if (row) document.getElementById(row.dataset.thing)?.classList.add("on");
});

// A report is as high as what it holds.
for (const frame of document.querySelectorAll("iframe.report")) {
  const fit = () => {
    const inner = frame.contentDocument?.documentElement;
    if (inner) frame.height = inner.scrollHeight;
    frame.classList.toggle("whole", Boolean(inner));
  };
  frame.addEventListener("load", fit);
  window.addEventListener("resize", fit);
  fit();
}

// What the server's guard refuses is no page: its words are shown, and who is unknown signs in.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status === 401) location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
  if (!(xhr.getResponseHeader("content-type") ?? "").includes("json")) return;
  const told = document.createElement("p");
  told.textContent = JSON.parse(xhr.responseText).detail;
  event.detail.serverResponse = `<div class="message bad">${told.outerHTML}</div>`;
});

document.addEventListener("htmx:sendError", () => {
  notice().textContent = "The server does not answer. This page goes on as soon as it does.";
  notice().dataset.lost = "yes";
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful && (notice().dataset.lost || event.detail.requestConfig.verb !== "get")) {
    notice().textContent = "";
    delete notice().dataset.lost;
  }
});

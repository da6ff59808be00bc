// Keeps the page alive: buttons without a reload, and what is still open, followed as it happens.
// Without it the page works too; then every button loads the page anew.
"use strict";

const POLL = 700; // ms
const queue = []; // presses that wait for the answer to the one before: none is lost
const opened = new Map(); // what a person opened or closed, by id
let latest = 0; // only the newest request may change the page
let shown = "";

async function load(url, options) {
  const mine = ++latest;
  const response = await fetch(url, options);
  const text = await response.text();
  if (mine !== latest) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  if (!page.getElementById("live")) throw new Error(`${response.status} ${response.statusText}`);
  show(page);
  if (options) follow(page, response.url);
}

function show(page) {
  const fresh = page.getElementById("live");
  if (fresh.outerHTML === shown) return;
  shown = fresh.outerHTML;
  const gold = document.getElementById("gold")?.textContent;
  const known = new Set([...document.querySelectorAll("details")].map((one) => one.id));
  const focused = document.activeElement?.id;
  for (const one of fresh.querySelectorAll("details")) {
    if (opened.has(one.id)) one.open = opened.get(one.id);
    if (!known.has(one.id)) one.classList.add("new");
  }
  document.getElementById("live").replaceWith(fresh);
  const now = document.getElementById("gold");
  if (now && gold !== undefined && gold !== now.textContent) now.classList.add("changed");
  if (focused) document.getElementById(focused)?.focus();
  count();
}

// After a button: the address, the choice and what may be pressed are those of the new page.
function follow(page, url) {
  history.replaceState(null, "", url);
  document.getElementById("nickname").value = page.getElementById("nickname").value;
  for (const one of page.querySelectorAll("[data-follow]")) {
    const here = document.getElementById(one.id);
    if (one.matches("button")) {
      Object.assign(here, { disabled: one.disabled, innerHTML: one.innerHTML, value: one.value });
    }
    else if (one.matches("input, select")) here.value = one.value;
    else here.textContent = one.textContent;
  }
  for (const [number, one] of document.querySelectorAll("[data-page]").entries()) {
    one.href = page.querySelectorAll("[data-page]")[number].href;
  }
  const live = document.getElementById("live");
  if (live.getBoundingClientRect().top > innerHeight / 2) live.scrollIntoView(); // on a phone
  const newest = document.querySelector("details.entry"); // #live has been taken out of `page`
  const said = newest ? `${newest.querySelector(".status").textContent}, ${newest.dataset.said}` : "";
  document.getElementById("said").textContent = said; // for those who hear the page
}

function count() {
  for (const one of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((Date.parse(one.dataset.until) - Date.now()) / 1000);
    const text = left > 0 ? one.dataset.left.replace("{left}", left) : one.dataset.over;
    if (one.textContent !== text) one.textContent = text;
  }
}

async function poll() {
  const live = document.getElementById("live");
  const busy = document.body.hasAttribute("aria-busy");
  if (live.hasAttribute("data-moving") && !busy && !document.hidden) {
    await load(location.href).catch(() => {}); // it may be back the next time
  }
  setTimeout(poll, POLL);
}

document.addEventListener("submit", (event) => {
  if (event.target.hasAttribute("data-whole")) return; // what it changes is more than #live
  event.preventDefault();
  const { target: form, submitter } = event;
  const url = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  press(url, { method: "POST", body: new URLSearchParams(new FormData(form, submitter)) });
});

function press(...request) {
  queue.push(request);
  tellQueue();
  if (queue.length === 1) work();
}

// One after the other, in the order they were pressed.
async function work() {
  document.body.setAttribute("aria-busy", "true");
  try {
    for (; queue.length; queue.shift(), tellQueue()) await load(...queue[0]);
  } catch {
    location.reload(); // the playground is gone, or refused: show what it says
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

function tellQueue() {
  const sign = document.getElementById("queue");
  const waiting = queue.length - 1;
  sign.hidden = waiting < 1;
  const words = waiting === 1 ? sign.dataset.one : sign.dataset.more;
  sign.textContent = sign.hidden ? "" : words.replace("{count}", waiting);
}

document.addEventListener("click", (event) => {
  const details = event.target.closest("summary")?.parentElement;
  if (details) opened.set(details.id, !details.open);
  const name = event.target.closest("[data-nickname]");
  if (!name || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  choose(name.dataset.nickname);
});

document.addEventListener("change", (event) => {
  const nickname = document.getElementById("nickname").value.trim();
  const isChoice = event.target.id === "nickname" || event.target.hasAttribute("data-reload");
  if (isChoice && nickname) choose(nickname);
  const button = event.target.dataset.press;
  if (button) event.target.form.requestSubmit(document.getElementById(button));
});

function choose(nickname) {
  const server = new FormData(document.getElementById("choices")).get("server");
  press(`${location.pathname}?${new URLSearchParams({ nickname, server })}`, {});
}

setInterval(count, 250);
count();
poll();

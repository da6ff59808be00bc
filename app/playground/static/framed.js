// The platform's page: shows the message that the game in the frame posts to it, beside what the
// platform's stand-in had replied.
"use strict";

const game = document.getElementById("game");

function show(id, text) {
  document.getElementById(id).textContent = text;
}

function say(id, name) {
  show(id, document.getElementById(id).dataset[name]); // in the page's language
}

function order(value) {
  if (Array.isArray(value)) return value.map(order);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, order(value[key])]));
}

function areSame(one, other) {
  return JSON.stringify(order(one)) === JSON.stringify(order(other));
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

addEventListener("message", async (event) => {
  if (event.source !== game.contentWindow || event.origin !== location.origin) return;
  const isString = typeof event.data === "string";
  const sent = isString ? parse(event.data) : event.data;
  say("kind", isString ? "string" : "object");
  show("message", isString ? event.data : JSON.stringify(event.data, null, 2));
  const replies = await (await fetch("/framed/replies")).json();
  const reply = replies.map((one) => one.reply).find((text) => areSame(JSON.parse(text), sent));
  if (reply) show("platform", reply);
  else say("platform", "none");
  say("verdict", reply ? "yes" : "no");
  document.getElementById("verdict").dataset.same = Boolean(reply);
});

// The game's client: asks the game's server, and hands the platform's reply on by guerdon-g123.js.
"use strict";

const PAUSE = 1000; // ms between looks whether the platform has replied
const form = document.getElementById("play");
const words = document.getElementById("state").dataset; // its sentences, in the page's language
const asString = document.getElementById("as-string");

function show(id, text) {
  document.getElementById(id).textContent = text;
}

// The same level again is answered the same and reported once: so that is how to fetch the reply.
async function ask(body) {
  for (;;) {
    const response = await fetch(form.action, { method: "POST", body });
    const text = await response.text();
    show("answer", text);
    show("status", response.status);
    if (!response.ok) throw new Error(words.failed.replace("{status}", response.status));
    const answer = JSON.parse(text);
    const report = answer.reports.find((one) => one.reporter === "g123");
    if (report?.response) return report.response;
    if (report?.state === "dead") throw new Error(words.dead);
    if (!report && answer.event.state === "settled") throw new Error(words.none);
    show("state", words.waiting);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.hasAttribute("aria-busy")) return;
  form.setAttribute("aria-busy", "true");
  const button = document.getElementById("reach");
  button.disabled = true; // it says so: until the platform has replied, there is nothing to press
  show("posted", "–");
  try {
    const response = await ask(new URLSearchParams(new FormData(form)));
    guerdonG123.post(response, { asString: asString.checked });
    show("posted", JSON.stringify(response));
    show("state", asString.checked ? words.string : words.object);
    document.getElementById("level").stepUp();
  } catch (error) {
    show("state", error.message);
  } finally {
    form.removeAttribute("aria-busy");
    button.disabled = false;
  }
});

// Hands G123's reply to the page that frames the game: the game's client calls this with the
// `response` of its level_up report, as Guerdon answered it.
//
//   <script src="https://your.host/static/guerdon-g123.js"></script>
//   guerdonG123.post(report.response);                     // the object itself, every field of it
//   guerdonG123.post(report.response, { asString: true }); // its JSON, for games of old
//
// It goes to window.top, to any origin, as G123's document has it (9.3, event on the front end).
"use strict";

const guerdonG123 = Object.freeze({
  post(response, { asString = false } = {}) {
    if (response === null || typeof response !== "object" || Array.isArray(response)) {
      throw new TypeError("guerdonG123.post takes the platform's reply, an object");
    }
    window.top.postMessage(asString ? JSON.stringify(response) : response, "*");
  },
});

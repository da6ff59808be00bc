// /docs: Swagger UI over /openapi.json. It asks nobody else, and keeps no key.
"use strict";

// As the reader's system has it, light or dark, also when that changes.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: document.getElementById("docs").dataset.url,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});

// /docs: Swagger UI over /openapi.json. It asks nobody else, and keeps no key.
"use strict";

SwaggerUIBundle({
  url: document.getElementById("docs").dataset.url,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});

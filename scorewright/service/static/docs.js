"use strict";

SwaggerUIBundle({
  url: document.documentElement.dataset.openapi,
  dom_id: "#swagger-ui",
  deepLinking: true,
  // The default sends the document to a validator on the internet.
  validatorUrl: null,
});

/* Swagger UI over this gateway's own document, and nothing from elsewhere. */
"use strict";
SwaggerUIBundle({
  url: "/v1/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  queryConfigEnabled: false,
  validatorUrl: null,
});

/* What Swagger UI leaves out for those who do not see the page, or have no mouse. It draws anew all the time. */
const LABELS = {
  "#servers": "The gateway's address",
  ".examples-select-element": "Example",
  ".close-modal": "Close",
  ".content-type": "Media type",
};
const LEVELS = { ".opblock-tag, .models > h4, .modal-ux-header h3": "2", ".opblock-title, .auth-container h4": "3" };
function mend() {
  for (const [which, label] of Object.entries(LABELS)) {
    document.querySelectorAll(which).forEach((e) => e.getAttribute("aria-label") || e.setAttribute("aria-label", label));
  }
  document.querySelectorAll("#reference pre").forEach((e) => e.setAttribute("tabindex", "0"));
  for (const [which, level] of Object.entries(LEVELS)) {
    document.querySelectorAll(which).forEach((e) => e.setAttribute("aria-level", level));
  }
  document.querySelectorAll(".responses-table").forEach((e) => e.setAttribute("aria-label", e.id.replaceAll("_", " ")));
  /* A link within a button: the button does the same. */
  document.querySelectorAll(".opblock-summary-control a[href]").forEach((e) => e.removeAttribute("href"));
}
new MutationObserver(mend).observe(document.getElementById("reference"), { childList: true, subtree: true });

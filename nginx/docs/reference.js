// The viewer asks nobody but this shop: no validator, and no server than the one it came from.
SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#reference",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    filter: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
});

// Its dark colours are a class, ours a media query: keep them together.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

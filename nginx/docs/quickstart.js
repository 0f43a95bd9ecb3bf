// The examples name the shop that this page came from.
for (const place of document.querySelectorAll(".origin")) {
    place.textContent = location.origin;
}

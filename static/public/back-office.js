// Every part of a staff page that scrolls by itself is a region to a screen reader, and the theme names them all alike. Here each gets
// a name of its own, before the theme's script makes them.

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-simplebar]").forEach((part, number) => {
    const name = part.closest("nav, #nav-sidebar") ? "Pages" : part.closest("#changelist") ? "Rows" : "Contents";
    part.setAttribute("data-simplebar-aria-label", `${name} ${number + 1}`);
  });
});

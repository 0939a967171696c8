// What the theme and Django's own widgets leave unsaid to a screen reader, said once the page stands.

// Every part that scrolls by itself is a region, and the theme names them all alike: each gets a name of its own, before the
// theme's script makes them.
const nameWhatScrolls = () => {
  document.querySelectorAll("[data-simplebar]").forEach((part, number) => {
    const name = part.closest("nav, #nav-sidebar") ? "Pages" : part.closest("#changelist") ? "Rows" : "Contents";
    part.setAttribute("data-simplebar-aria-label", `${name} ${number + 1}`);
  });
};

// A field in a table of fields is called what its column is called.
const nameFieldsOfTables = () => {
  for (const table of document.querySelectorAll(".formset-wrapper table, [data-inline-type='tabular'] table")) {
    const heads = [...table.querySelectorAll("thead th")];
    for (const head of heads) {
      if (head.textContent.trim()) continue;
      const word = document.createElement("span");
      word.className = "bo-unseen";
      word.textContent = "Remove";
      head.append(word);
    }
    for (const field of table.querySelectorAll("td input:not([type=hidden]), td select, td textarea")) {
      const head = heads[field.closest("td").cellIndex];
      if (head && !field.labels?.length && !field.hasAttribute("aria-label")) field.setAttribute("aria-label", head.textContent.trim());
    }
  }
};

// The glass beside the filter of a pair of lists is a picture that has a name.
const namePictures = () => {
  for (const glass of document.querySelectorAll(".help-tooltip[aria-label]:not([role])")) glass.setAttribute("role", "img");
};

document.addEventListener("DOMContentLoaded", () => {
  nameWhatScrolls();
  nameFieldsOfTables();
});
window.addEventListener("load", () => setTimeout(namePictures));

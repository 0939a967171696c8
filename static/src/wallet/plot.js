/** A plot of the server's drawing: the point under the pointer is marked, and said above it. The table behind has the same points. */
import { $, $$ } from "../lib/dom.js";

const WIDTH = 1000;
const HEIGHT = 300;

/** The place of the point nearest to a share of the width (0 to 1). */
export function nearest(share, count) {
  return Math.min(count - 1, Math.max(0, Math.round(share * (count - 1))));
}

/** Points from the left to the right, as the table's rows have them from the newest down. */
export function points(rows) {
  return rows.reverse().map((row, place, all) => ({
    x: Math.floor((place * WIDTH) / Math.max(1, all.length - 1)),
    y: Number(row.dataset.y),
    day: row.cells[0].textContent,
    worth: row.cells[1].textContent,
  }));
}

function enliven(plot) {
  const card = plot.parentElement;
  const line = $(".plot-line", plot);
  const readout = $("[data-plot-readout]", card);
  const [guide, dot] = [$("[data-plot-guide]", plot), $("[data-plot-dot]", plot)];
  const all = points($$("[data-plot-table] tbody tr", card));

  function show(event) {
    const box = line.getBoundingClientRect();
    const point = all[nearest((event.clientX - box.left) / box.width, all.length)];
    guide.setAttribute("d", `M${point.x} 0V${HEIGHT}`);
    dot.setAttribute("d", `M${point.x} ${point.y}h0`);
    readout.replaceChildren(point.day, ": ", Object.assign(document.createElement("strong"), { textContent: point.worth }));
  }

  function hide() {
    guide.setAttribute("d", "");
    dot.setAttribute("d", "");
    readout.textContent = "";
  }

  line.addEventListener("pointermove", show);
  line.addEventListener("pointerdown", show);
  line.addEventListener("pointerleave", hide);
}

export function enlivenPlots(within = document) {
  for (const plot of $$("[data-plot]", within)) {
    if (plot.dataset.live) continue;
    plot.dataset.live = "yes";
    enliven(plot);
  }
}

/** The chart, in a file of its own: it is the heaviest part of the trade page, and orders can be placed before it is there. */
export { ChartPane } from "./trade/chart_pane.js";

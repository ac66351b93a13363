"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);

/* Plots are drawn when they come into view, in the colors of the page. */
function draw(place) {
  const figure = structuredClone(figures[place.dataset.figure]);
  const ink = getComputedStyle(document.body).color;
  figure.layout.font = { ...figure.layout.font, color: ink, family: "system-ui, sans-serif" };
  for (const note of figure.layout.annotations || []) note.font = { size: 13, color: ink };
  Plotly.react(place, figure.data, figure.layout, { responsive: true, displayModeBar: false });
}
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) { seen.unobserve(target); draw(target); target.dataset.drawn = "yes"; }
  }
}, { rootMargin: "200px" });
document.querySelectorAll("[data-figure]").forEach((place) => seen.observe(place));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
  document.querySelectorAll("[data-drawn]").forEach(draw));

/* A row and its details stay together; references come first, degenerate rows last. */
const PLACE = { reference: 0, ranked: 1, degenerate: 2 };
function pairs(body) {
  return [...body.querySelectorAll("tr.row")].map((row) => [row, row.nextElementSibling]);
}
function sort(header) {
  const down = header.getAttribute("aria-sort") === "descending"
    ? false : header.getAttribute("aria-sort") === "ascending" ? true : header.dataset.first !== "up";
  const table = header.closest("table"), column = header.cellIndex, body = table.tBodies[0];
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const compare = (one, two) => {
    const [a, b] = [value(one), value(two)];
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
    return down ? -order : order;
  };
  const ordered = pairs(body).sort(([one], [two]) =>
    PLACE[one.dataset.status] - PLACE[two.dataset.status] || compare(one, two));
  for (const pair of ordered) body.append(...pair);
}
document.querySelectorAll("table.leaderboard thead button").forEach((button) =>
  button.addEventListener("click", () => sort(button.closest("th"))));

function toggle(button) {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", open);
  document.getElementById(button.getAttribute("aria-controls")).hidden = !open;
}
document.querySelectorAll("tbody [aria-controls]").forEach((button) =>
  button.addEventListener("click", () => toggle(button)));

const filters = document.getElementById("filters");
function filter() {
  const wanted = Object.fromEntries(new FormData(filters));
  let shown = 0, all = 0;
  document.querySelectorAll("section.leaderboard").forEach((leaderboard) => {
    leaderboard.hidden = Boolean(wanted.protocol) && leaderboard.dataset.protocol !== wanted.protocol;
    for (const [row, details] of pairs(leaderboard.querySelector("table.leaderboard tbody"))) {
      const { name, family, leaves, trust, status } = row.dataset;
      const fits = name.includes(wanted.text.trim().toLowerCase())
        && (!wanted.family || family === wanted.family)
        && (!wanted.leaves || leaves === wanted.leaves) && (!wanted.trust || trust === wanted.trust);
      row.hidden = !(fits || status === "reference");
      const button = row.querySelector("button");
      details.hidden = row.hidden || button.getAttribute("aria-expanded") !== "true";
      all += 1; shown += !row.hidden && !leaderboard.hidden;
    }
  });
  document.getElementById("count").textContent = `${shown} of ${all} rows shown`;
}
filters.addEventListener("input", filter);
filters.addEventListener("submit", (event) => event.preventDefault());
filter();

// The table that says how it is sorted: a column's button sorts it, the field #filter leaves rows by their first name.
const table = document.querySelector("table:has(thead [aria-sort])"), body = table.tBodies[0], rows = [...body.rows];
const texts = rows.map(row => row.querySelector("bdi").textContent.toLowerCase());
const words = new Intl.Collator();
for (const button of table.tHead.querySelectorAll("button")) button.addEventListener("click", () => {
  const head = button.closest("th"), column = head.cellIndex, numbers = head.classList.contains("n");
  const up = head.getAttribute("aria-sort") === "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const keyed = rows.map(row => [row.cells[column].dataset.sort ?? row.cells[column].textContent, row]);
  // What is not known has an empty data-sort, and stays below either way.
  keyed.sort(([a], [b]) => (a === "") - (b === "") || (numbers ? a - b : words.compare(a, b)) * (up ? 1 : -1));
  body.append(...keyed.map(([, row]) => row));
});
document.getElementById("filter").addEventListener("input", event => {
  const wanted = event.target.value.toLowerCase();
  let shown = 0;
  rows.forEach((row, at) => { row.hidden = !texts[at].includes(wanted); shown += !row.hidden; });
  document.getElementById("shown").textContent = shown;
});

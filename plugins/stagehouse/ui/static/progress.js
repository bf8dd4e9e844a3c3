// Shows how far the run is, again every few seconds, until its page is there.
const EVERY_MS = 3000, OLD_S = 30, number = new Intl.NumberFormat("en");

async function look() {
  let told;
  try {
    const answer = await fetch("progress", { headers: { accept: "application/json" } });
    told = await answer.json();
    if (!answer.ok) throw new Error(told.detail);
  } catch (error) {
    put("old", `No news: ${error.message}`);
    return;
  }
  if (told.ready) {
    location.reload();
    return;
  }
  put("state", told.state);
  put("old", told.age > OLD_S ? `no news since ${told.updated}` : told.updated ? `at ${told.updated}` : "");
  if (told.rows === null) return;
  for (const id of ["numbers", "outcomes"]) document.getElementById(id).hidden = false;
  const bar = document.getElementById("bar");
  bar.max = Math.max(told.rows, 1);
  bar.value = told.done;
  put("done", number.format(told.done));
  put("all", number.format(told.rows));
  put("rate", told.rate);
  put("left", told.left);
  for (const [name, rows] of Object.entries(told.outcomes)) put(`of-${name}`, number.format(rows));
}

function put(id, text) {
  document.getElementById(id).textContent = text;
}

(async () => {
  for (;;) {
    await look();
    await new Promise(resume => setTimeout(resume, EVERY_MS));
  }
})();

// Sends the chosen file into the inbox, as it is, and shows how far that is.
const chosen = document.getElementById("file"), said = document.getElementById("said"), bar = document.getElementById("sent");

chosen.addEventListener("change", () => {
  const [file] = chosen.files, most = Number(chosen.dataset.max);
  if (!file) return;
  if (file.size > most) {
    tell(`${file.name} is larger than ${most / 2 ** 20} MiB. Next: pack it by gzip, or split it`);
    return;
  }
  const sending = new XMLHttpRequest();
  sending.open("PUT", `uploads?name=${encodeURIComponent(file.name)}`);
  sending.setRequestHeader("X-Stagehouse-Upload", "1");
  sending.setRequestHeader("Content-Type", "application/octet-stream");
  sending.upload.addEventListener("progress", event => {
    bar.hidden = false;
    bar.max = event.total;
    bar.value = event.loaded;
  });
  sending.addEventListener("load", () => {
    if (sending.status === 201) location.assign(`file?path=${encodeURIComponent(JSON.parse(sending.responseText).path)}`);
    else tell(reason(sending));
  });
  sending.addEventListener("error", () => tell("The connection was lost: nothing was kept. Next: send it again"));
  chosen.disabled = true;
  said.textContent = `Sending ${file.name}`;
  sending.send(file);
});

function reason(answer) {
  try {
    return JSON.parse(answer.responseText).detail;
  } catch {
    return `Not kept: the server answered ${answer.status}`;
  }
}

function tell(text) {
  said.textContent = text;
  bar.hidden = true;
  chosen.disabled = false;
  chosen.value = "";
}

// The page: logging in, choosing files, and sending them.

import { Problem, read, request, send } from "./api.js";
import { show, start, summarise } from "./jobs.js";
import { finished, forget, interrupted, upload } from "./upload.js";
import { button, bytes, duration, element, find, number, report } from "./words.js";

let chosen = [];
let speeds = {};
let limits = {};

// The foretold size and time of an image, where the browser can read it.
async function foretell(file) {
  if (file.size > limits.max_upload_bytes) {
    return `${bytes(file.size)}: this server takes ${bytes(limits.max_upload_bytes)}`;
  }
  const scale = Number(find("scale").value);
  try {
    const image = await createImageBitmap(file);
    const pixels = image.width * image.height * scale * scale;
    const text = `${number.format(image.width * scale)} × ${number.format(image.height * scale)} pixels`;
    image.close();
    if (pixels > limits.max_output_pixels) return `${text}: more than this server makes`;
    const speed = speeds.of?.[`${find("model").value || speeds.default}-x${scale}`];
    return speed ? `${text}, about ${duration(pixels / 1e6 / speed)}` : text;
  } catch {
    return bytes(file.size);
  }
}

function showChosen() {
  find("chosen").hidden = chosen.length === 0;
  find("chosen-list").replaceChildren(...chosen.map((file) => {
    const facts = element("span", { className: "quiet", textContent: bytes(file.size) });
    foretell(file).then((text) => { facts.textContent = text; });
    return element("li", {}, element("div", { className: "row" },
      element("span", { className: "name", textContent: file.name }), facts, button("Remove", file.name, () => {
        chosen = chosen.filter((other) => other !== file);
        showChosen();
        find(chosen.length ? "begin" : "files").focus();
      })));
  }));
}

function choose(files) {
  chosen = chosen.concat([...files].filter((file) => file.size > 0 && !file.name.startsWith(".")));
  showChosen();
}

// One list item for each file at once; the files are sent one after another.
async function begin() {
  const sendings = chosen.map((file) => {
    const stop = new AbortController();
    const bar = element("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", `Sending ${file.name}`);
    const note = element("p", { className: "quiet", textContent: "Waiting to be sent" });
    const cancel = button("Cancel", file.name, () => stop.abort());
    const item = element("li", {}, element("div", { className: "row" },
      element("span", { className: "name", textContent: file.name }), cancel), bar, note);
    return { file, stop, bar, note, cancel, item };
  });
  const task = { size: { scale: Number(find("scale").value) } };
  if (find("model").value) task.options = { model: find("model").value };
  const ending = find("ending").value;
  chosen = [];
  showChosen();
  find("job-list").prepend(...sendings.map((each) => each.item));
  summarise();
  for (const each of sendings) await sendOne(each, task, ending);
}

async function sendOne({ file, stop, bar, note, cancel, item }, task, ending) {
  try {
    stop.signal.throwIfAborted();
    const id = await upload(file, (share, text) => {
      bar.value = share;
      note.textContent = text ?? `Sending: ${Math.round(100 * share)} %`;
    }, stop.signal);
    const answer = await send("jobs", { upload: id, task, ending }, { "Idempotency-Key": id });
    finished(file, id);
    item.remove();
    show(await answer.json());
  } catch (error) {
    bar.remove();
    note.className = "error";
    note.textContent = error.name === "AbortError" ? "Cancelled." : error.message;
    cancel.replaceWith(button("Remove", file.name, () => {
      item.remove();
      summarise();
    }));
  }
}

// What a reload has interrupted: a page cannot read a file again that was not chosen again.
async function showInterrupted() {
  for (const each of await interrupted()) {
    const item = element("li", {}, element("div", { className: "row" },
      element("span", { className: "name", textContent: each.name }), button("Forget", each.name, async () => {
        await forget(each);
        item.remove();
        summarise();
      })), element("p", {
      className: "quiet",
      textContent: `Interrupted at ${Math.floor(100 * each.share)} %. Choose the file again to resume.`,
    }));
    item.dataset.interrupted = each.id;
    find("job-list").prepend(item);
  }
  summarise();
}

async function enter() {
  let content;
  try {
    [limits, content] = await Promise.all([read("limits"), read("models")]);
  } catch (error) {
    if (!(error instanceof Problem && error.status === 401)) throw error;
    find("log-in").hidden = false;
    return;
  }
  find("log-in").hidden = true;
  find("start").hidden = false;
  find("log-out").hidden = !limits.auth;
  speeds = { default: content.default, of: Object.fromEntries(content.models.map((card) => [card.name, card.speed])) };
  const families = new Set(content.models.map((card) => card.family).filter((name) => name !== content.default));
  find("model").append(...[...families].map((name) => element("option", { value: name, textContent: name })));
  find("limits").textContent = `Up to ${bytes(limits.max_upload_bytes)} a file and `
    + `${number.format(limits.max_output_pixels / 1e6)} megapixels of result. Sources are kept for `
    + `${limits.upload_hours} hours, results for ${limits.result_days} days.`;
  await start();
  await showInterrupted();
}

find("files").addEventListener("change", (event) => choose(event.target.files));
find("folder").addEventListener("change", (event) => choose(event.target.files));
find("scale").addEventListener("change", showChosen);
find("model").addEventListener("change", showChosen);
find("begin").addEventListener("click", () => begin());
find("clear").addEventListener("click", () => {
  chosen = [];
  showChosen();
  find("files").focus();
});
find("drop").addEventListener("dragover", (event) => {
  event.preventDefault();
  find("drop").classList.add("over");
});
find("drop").addEventListener("dragleave", () => find("drop").classList.remove("over"));
find("drop").addEventListener("drop", async (event) => {
  event.preventDefault();
  find("drop").classList.remove("over");
  choose(await dropped(event.dataTransfer));
});
document.addEventListener("paste", (event) => choose(event.clipboardData.files));
find("log-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    await send("session", { name: form.elements.name.value, password: form.elements.password.value });
    form.querySelector(".error").textContent = "";
    await enter();
  } catch (error) {
    form.querySelector(".error").textContent = error.message;
  }
});
find("log-out").addEventListener("click", async () => {
  await request("session", { method: "DELETE" });
  location.reload();
});

// The files of a drop, also those in folders.
async function dropped(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return data.files;
  const found = [];
  const visit = async (entry) => {
    if (entry.isFile) found.push(await new Promise((done, failed) => entry.file(done, failed)));
    else {
      const reader = entry.createReader();
      for (;;) {
        const part = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (part.length === 0) break;
        for (const each of part) await visit(each);
      }
    }
  };
  for (const entry of entries) await visit(entry);
  return found;
}

enter().catch((error) => report(error.message));

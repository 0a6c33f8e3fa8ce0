// The page: logging in, choosing files, and sending them.

import { Problem, read, request, send } from "./api.js";
import { foretell } from "./foretelling.js";
import { show, start, summarise } from "./jobs.js";
import { finished, forget, interrupted, upload } from "./upload.js";
import { button, bytes, duration, element, files, find, head, number, report } from "./words.js";

let chosen = []; // { file, address, foretold }
let speeds = {};
let limits = {};

const settings = () => Object.fromEntries(new FormData(find("settings")));

function showChosen() {
  const { scale, model } = settings();
  const speed = speeds.of?.[`${model || speeds.default}-x${scale}`];
  find("chosen").hidden = chosen.length === 0;
  find("chosen-list").replaceChildren(...chosen.map((each) => {
    const { file, address } = each;
    const note = element("p", { className: "quiet", textContent: bytes(file.size) });
    const image = file.type.startsWith("image/")
      ? element("img", { className: "thumbnail", alt: "", loading: "lazy", decoding: "async", src: address }) : null;
    if (image) image.onerror = () => image.remove(); // what this browser cannot show
    const item = element("li", {}, head(image, file.name, note, button("Remove", file.name, () => {
      URL.revokeObjectURL(address);
      chosen = chosen.filter((other) => other !== each);
      showChosen();
      find(chosen.length ? "clear" : "files").focus();
    })));
    each.foretold = null;
    foretell(file, address, Number(scale), speed, limits).then((foretold) => {
      if (settings().scale !== scale || settings().model !== model) return; // others were chosen meanwhile
      each.foretold = foretold;
      note.textContent = foretold.text;
      note.className = foretold.refused ? "error" : "quiet";
      item.classList.toggle("refused", foretold.refused);
      sum();
    });
    return item;
  }));
  sum();
}

// What will be sent, and the time that it takes.
function sum() {
  const taken = chosen.filter((each) => !each.foretold?.refused);
  const seconds = taken.reduce((total, each) => total + (each.foretold?.seconds ?? 0), 0);
  find("begin").disabled = taken.length === 0;
  find("sum").textContent = `${files(taken.length)}, ${bytes(taken.reduce((total, each) => total + each.file.size, 0))}`
    + (seconds ? `, about ${duration(seconds)} of work` : "");
}

function choose(given) {
  const fresh = [...given].filter((file) => file.size > 0 && !file.name.startsWith("."));
  chosen = chosen.concat(fresh.map((file) => ({ file, address: URL.createObjectURL(file), foretold: null })));
  if (given.length > 0 && fresh.length === 0) report("These files are empty or hidden.");
  showChosen();
}

function forgetChosen() {
  for (const { address } of chosen) URL.revokeObjectURL(address);
  chosen = [];
  showChosen();
}

// One list item for each file at once; the files are sent one after another.
async function begin() {
  const sendings = chosen.filter((each) => !each.foretold?.refused).map(({ file }) => {
    const stop = new AbortController();
    const bar = element("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", `Sending ${file.name}`);
    const note = element("p", { className: "quiet", textContent: "Waiting to be sent" });
    const cancel = button("Cancel", file.name, () => stop.abort());
    const item = element("li", {}, head(null, file.name, note, cancel), bar);
    return { file, stop, bar, note, cancel, item };
  });
  const { scale, model, ending } = settings();
  const task = { size: { scale: Number(scale) }, ...(model && { options: { model } }) };
  forgetChosen();
  find("job-list").prepend(...sendings.map((each) => each.item));
  summarise();
  find("jobs").scrollIntoView({ block: "nearest" });
  for (const each of sendings) await sendOne(each, task, ending);
}

async function sendOne({ file, stop, bar, note, cancel, item }, task, ending) {
  try {
    stop.signal.throwIfAborted();
    const id = await upload(file, (share, text) => {
      bar.value = share;
      note.textContent = text ?? `Sending: ${Math.floor(100 * share)} %`;
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
    const note = element("p", {
      className: "quiet",
      textContent: `Interrupted at ${Math.floor(100 * each.share)} %. Choose the file again to resume.`,
    });
    const item = element("li", {}, head(null, each.name, note, button("Forget", each.name, async () => {
      await forget(each);
      item.remove();
      summarise();
    })));
    item.dataset.interrupted = each.id;
    find("job-list").prepend(item);
  }
  summarise();
}

// The models: the presets first, then the others; the names of families, which have a model for each scale.
function listModels({ models, presets, default: best }) {
  speeds = { default: best, of: Object.fromEntries(models.map((card) => [card.name, card.speed])) };
  const words = { fast: "Fast", balanced: "Balanced", best: "Highest quality" };
  const named = Object.entries(presets).map(([preset, name]) => [name, `${words[preset] ?? preset} (${name})`]);
  const families = new Set(models.map((card) => card.family));
  const others = [...families].filter((name) => !Object.values(presets).includes(name)).map((name) => [name, name]);
  find("model").append(...[...named, ...others].map(([value, textContent]) => element("option", { value, textContent })));
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
  listModels(content);
  find("limits").textContent = `Files up to ${bytes(limits.max_upload_bytes)} and results up to `
    + `${number.format(limits.max_output_pixels / 1e6)} megapixels. Sources are kept for ${limits.upload_hours} hours, `
    + `results for ${limits.result_days} days; "Remove" deletes at once.`;
  await start();
  await showInterrupted();
}

for (const id of ["files", "folder"]) {
  find(id).addEventListener("change", (event) => {
    choose(event.target.files);
    event.target.value = ""; // so that the same file can be chosen again
  });
}
find("settings").addEventListener("change", showChosen);
find("settings").addEventListener("submit", (event) => event.preventDefault());
find("begin").addEventListener("click", () => begin());
find("clear").addEventListener("click", () => {
  forgetChosen();
  find("files").focus();
});
// Files may be dropped anywhere: beside the field a browser would leave this page for them.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  if (!find("start").hidden) choose(await dropped(event.dataTransfer));
});
document.addEventListener("paste", (event) => {
  if (!find("start").hidden && event.clipboardData.files.length) choose(event.clipboardData.files);
});
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

enter().catch((error) => report(error.message, true));

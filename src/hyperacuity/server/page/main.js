// The page: choosing files, starting, and the list of jobs.

import { Problem, read, request, send } from "./api.js";
import { comparison } from "./comparison.js";
import { upload } from "./upload.js";

const find = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
let chosen = [];
let speeds = {};
let limits = {};
const cards = new Map(); // job id -> its list item

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const bytes = (count) =>
  count >= 2 ** 30 ? `${(count / 2 ** 30).toFixed(1)} GiB` : count >= 2 ** 20 ? `${(count / 2 ** 20).toFixed(1)} MiB`
    : `${Math.max(1, Math.round(count / 1024))} KiB`;

const duration = (seconds) =>
  seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min`
    : `${(seconds / 3600).toFixed(1)} h`;

function report(text) {
  find("status").textContent = text;
}

// The foretold size and time of an image, where the browser can read it.
async function foretell(file) {
  const scale = Number(find("scale").value);
  try {
    const image = await createImageBitmap(file);
    const pixels = image.width * image.height * scale * scale;
    const text = `${number.format(image.width * scale)} × ${number.format(image.height * scale)} pixels`;
    image.close();
    if (pixels > limits.max_output_pixels) return `${text}: more than this server makes`;
    const model = find("model").value || speeds.default;
    const speed = speeds.of?.[`${model}-x${scale}`];
    return speed ? `${text}, about ${duration(pixels / 1e6 / speed)}` : text;
  } catch {
    return bytes(file.size);
  }
}

async function showChosen() {
  const list = find("chosen-list");
  list.replaceChildren();
  find("chosen").hidden = chosen.length === 0;
  for (const file of chosen) {
    const facts = element("span", { className: "quiet" });
    const remove = element("button", { type: "button", className: "plain", textContent: "Remove" });
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    remove.addEventListener("click", () => {
      chosen = chosen.filter((other) => other !== file);
      showChosen();
    });
    list.append(element("li", {}, element("div", { className: "row" },
      element("span", { className: "name", textContent: file.name }), facts, remove)));
    facts.textContent = file.size > limits.max_upload_bytes
      ? `${bytes(file.size)}: this server takes ${bytes(limits.max_upload_bytes)}` : await foretell(file);
  }
}

function choose(files) {
  chosen = chosen.concat([...files].filter((file) => file.size > 0 && !file.name.startsWith(".")));
  showChosen();
}

async function begin() {
  const files = chosen;
  chosen = [];
  await showChosen();
  const scale = Number(find("scale").value);
  const model = find("model").value;
  const ending = find("ending").value;
  for (const file of files) {
    const bar = element("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", `Sending ${file.name}`);
    const note = element("p", { className: "quiet", textContent: "Sending" });
    const stop = new AbortController();
    const cancel = element("button", { type: "button", className: "plain", textContent: "Cancel" });
    cancel.addEventListener("click", () => stop.abort());
    const item = element("li", {}, element("div", { className: "row" },
      element("span", { className: "name", textContent: file.name }), cancel), bar, note);
    find("jobs").hidden = false;
    find("job-list").prepend(item);
    try {
      const id = await upload(file, (share, text) => {
        bar.value = share;
        note.textContent = text ?? `Sending: ${Math.round(100 * share)} %`;
      }, stop.signal);
      const task = { size: { scale }, ...(model ? { options: { model } } : {}) };
      const answer = await send("jobs", { upload: id, task, ending }, { "Idempotency-Key": id });
      item.remove();
      show(await answer.json());
    } catch (error) {
      bar.remove();
      cancel.remove();
      note.className = "error";
      note.textContent = error.name === "AbortError" ? "Cancelled." : error.message;
    }
  }
}

function describe(job) {
  switch (job.state) {
    case "waiting": return job.ahead > 0 ? `Waiting; ${job.ahead} before it` : "Next in the queue";
    case "running": return `${Math.round(100 * job.progress)} %`
      + (job.seconds_left ? `, about ${duration(job.seconds_left)} left` : "");
    case "done": {
      const [height, width] = job.outcome.after ?? [0, 0];
      return `${number.format(width)} × ${number.format(height)} pixels in ${duration(job.outcome.seconds ?? 0)}; `
        + `kept until ${new Date(1000 * job.expires).toLocaleString()}`;
    }
    case "cancelled": return "Cancelled";
    default: return "";
  }
}

function show(job) {
  find("jobs").hidden = false;
  let item = cards.get(job.id);
  if (!item) {
    item = element("li");
    cards.set(job.id, item);
    find("job-list").prepend(item);
    if (!["done", "failed", "cancelled"].includes(job.state)) follow(job.id);
  }
  const open = item.querySelector(".comparison");
  const actions = element("span", { className: "actions" });
  const action = (text, work) => {
    const button = element("button", { type: "button", className: "plain", textContent: text });
    button.setAttribute("aria-label", `${text}: ${job.name}`);
    button.addEventListener("click", () => work().catch((error) => report(error.message)));
    actions.append(button);
  };
  if (job.state === "done") {
    actions.append(element("a", { className: "button", href: `v1/jobs/${job.id}/result`, textContent: "Download",
      ariaLabel: `Download ${job.result_name}` }));
    action(open ? "Hide" : "Compare", async () => {
      const there = item.querySelector(".comparison");
      if (there) there.remove();
      else item.append(comparison(job));
      show(job);
    });
  }
  if (job.state === "waiting" || job.state === "running") {
    action("Cancel", () => request(`jobs/${job.id}/cancel`, { method: "POST" }));
  } else {
    action("Remove", async () => {
      await request(`jobs/${job.id}`, { method: "DELETE" });
      item.remove();
      cards.delete(job.id);
      downloads();
    });
  }
  const parts = [element("div", { className: "row" }, element("span", { className: "name", textContent: job.name }), actions)];
  if (job.state === "running" || job.state === "waiting") {
    const bar = element("progress", { max: 1, value: job.progress });
    bar.setAttribute("aria-label", `Progress of ${job.name}`);
    parts.push(bar);
  }
  parts.push(job.error ? element("p", { className: "error", textContent: job.error })
    : element("p", { className: "quiet", textContent: describe(job) }));
  item.dataset.state = job.state;
  item.replaceChildren(...parts, ...(open && job.state === "done" && item.contains(open) ? [open] : []));
  downloads();
}

function downloads() {
  const done = [...cards].filter(([, item]) => item.dataset.state === "done").map(([id]) => `id=${id}`);
  find("download-all").hidden = done.length < 2;
  find("download-all").href = `v1/jobs.zip?${done.join("&")}`;
  find("jobs").hidden = find("job-list").children.length === 0;
}

// Events where they get through, and a look every few seconds where they do not.
function follow(id) {
  const source = new EventSource(`v1/jobs/${id}/events`);
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      const job = await read(`jobs/${id}`);
      show(job);
      if (["done", "failed", "cancelled"].includes(job.state)) {
        source.close();
        clearInterval(timer);
        if (job.state === "done") report(`${job.name} is ready.`);
      }
    } catch (error) {
      if (error instanceof Problem && error.status === 404) {
        source.close();
        clearInterval(timer);
      }
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(look, 4000);
  for (const kind of ["waiting", "running", "progress", "done", "failed", "cancelled"]) source.addEventListener(kind, look);
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
    + `${number.format(limits.max_output_pixels / 1e6)} megapixels of result. `
    + `Results are kept for ${limits.result_days} days.`;
  const { jobs } = await read("jobs");
  for (const job of jobs.reverse()) show(job);
}

find("files").addEventListener("change", (event) => choose(event.target.files));
find("folder").addEventListener("change", (event) => choose(event.target.files));
find("scale").addEventListener("change", showChosen);
find("model").addEventListener("change", showChosen);
find("begin").addEventListener("click", () => begin());
find("clear").addEventListener("click", () => choose(chosen.splice(0).slice(0, 0)));
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

// The list of jobs: their progress, results and comparisons.

import { read, request } from "./api.js";
import { comparison } from "./comparison.js";
import { button, date, duration, element, find, head, pixels, report } from "./words.js";

const cards = new Map(); // job id -> its list item
const ended = (state) => ["done", "failed", "cancelled"].includes(state);
// Whether a job changes no more: its previews follow its result soon, or never.
const complete = (job) => ended(job.state)
  && (job.state !== "done" || job.previews || Date.now() / 1000 - job.finished > 60);
const SECONDS = 2; // between two looks at all jobs
let looking = false;
let lost = false; // whether the server did not answer the last time
let followed = null; // the running job whose events are heard: browsers allow few connections to one server
let timer = null;

function describe(job) {
  switch (job.state) {
    case "waiting": return job.ahead > 0 ? `Waiting; ${job.ahead} in front of it` : "Next in the queue";
    case "running": return job.progress > 0 ? `${Math.floor(100 * job.progress)} %`
      + (job.seconds_left ? `, about ${duration(job.seconds_left)} left` : "") : "Starting";
    case "done": {
      const [height, width] = job.outcome.after ?? [0, 0];
      return `${pixels(width, height)} pixels in ${duration(job.outcome.seconds ?? 0)}. Kept until ${date(job.expires)}.`;
    }
    case "cancelled": return "Cancelled";
    default: return job.error ?? "";
  }
}

function actions(job, item, open) {
  const made = [];
  if (job.state === "done") {
    if (job.previews) {
      made.push(button(open ? "Hide" : "Compare", job.name, () => {
        if (open) open.remove();
        else item.append(comparison(job));
        show(job);
      }));
    }
    const download = element("a", { className: "button", href: `v1/jobs/${job.id}/result`, textContent: "Download" });
    download.setAttribute("aria-label", `Download ${job.result_name}`);
    made.push(download);
  }
  if (ended(job.state)) {
    made.push(button("Remove", job.name, async () => {
      await request(`jobs/${job.id}`, { method: "DELETE" });
      remove(job.id);
    }));
  } else made.push(button("Cancel", job.name, () => request(`jobs/${job.id}/cancel`, { method: "POST" }).then(look)));
  return made;
}

function remove(id) {
  cards.get(id)?.remove();
  cards.delete(id);
  summarise();
}

function thumbnail(job) {
  if (!job.previews) return null;
  return element("img", { className: "thumbnail", alt: "", loading: "lazy", decoding: "async", src: `v1/jobs/${job.id}/after` });
}

// Shows a job as it is now. The keyboard's focus stays where it was, or on the first action if that is gone.
export function show(job) {
  let item = cards.get(job.id);
  const before = item?.dataset.state;
  if (!item) {
    item = element("li");
    cards.set(job.id, item);
    find("job-list").prepend(item);
  }
  const open = item.querySelector(".comparison");
  const focused = item.contains(document.activeElement) && !open?.contains(document.activeElement)
    ? document.activeElement.getAttribute("aria-label") : null;
  const note = element("p", { className: job.state === "failed" ? "error" : "quiet", textContent: describe(job) });
  const parts = [head(thumbnail(job), job.name, note, ...actions(job, item, open))];
  if (!ended(job.state)) {
    const bar = element("progress", { max: 1, value: job.progress });
    bar.setAttribute("aria-label", `Progress of ${job.name}`);
    parts.push(bar);
  }
  item.dataset.state = job.state;
  for (const old of [...item.children]) if (old !== open) old.remove();
  item.prepend(...parts);
  if (focused !== null) {
    const buttons = [...item.querySelectorAll("button, a")];
    (buttons.find((each) => each.getAttribute("aria-label") === focused) ?? buttons[0])?.focus();
  }
  if (before && before !== job.state && job.state === "done") report(`${job.name} is ready.`);
  if (before && before !== job.state && job.state === "failed") report(`${job.name} could not be enlarged.`);
  summarise();
  item.dataset.complete = String(complete(job));
  if (!complete(job)) watch();
}

export function summarise() {
  const states = [...cards.values()].map((item) => item.dataset.state);
  const done = [...cards].filter(([, item]) => item.dataset.state === "done").map(([id]) => `id=${id}`);
  const open = states.filter((state) => !ended(state)).length;
  document.title = open ? `${open} at work – Hyperacuity` : "Hyperacuity";
  find("download-all").hidden = done.length < 2;
  find("download-all").href = `v1/jobs.zip?${done.join("&")}`;
  find("jobs").hidden = find("job-list").children.length === 0;
}

function watch() {
  timer ??= setTimeout(look, 1000 * SECONDS);
}

async function look() {
  clearTimeout(timer);
  timer = null;
  if (looking) return;
  looking = true;
  try {
    const { jobs } = await read("jobs?limit=500");
    for (const job of jobs.reverse()) if (cards.get(job.id)?.dataset.complete !== "true") show(job);
    const known = new Set(jobs.map((job) => job.id));
    for (const [id, item] of cards) if (!known.has(id) && !ended(item.dataset.state)) remove(id);
    follow(jobs.find((job) => job.state === "running")?.id ?? null);
    if (lost) report("The server is back.");
    lost = false;
  } catch {
    lost = true;
    report("The server does not answer. Nothing is lost; this page tries again.", true);
    watch();
  } finally {
    looking = false;
  }
}

// Events of the running job, so that its progress moves more often than all are looked at.
function follow(id) {
  if (followed?.id === id) return;
  followed?.source.close();
  followed = null;
  if (id === null) return;
  const source = new EventSource(`v1/jobs/${id}/events`);
  followed = { id, source };
  for (const kind of ["progress", "done", "failed", "cancelled"]) {
    source.addEventListener(kind, (event) => {
      const bar = cards.get(id)?.querySelector("progress");
      if (kind === "progress" && bar) bar.value = JSON.parse(event.data).progress;
      if (kind !== "progress") {
        source.close();
        followed = null;
        look();
      }
    });
  }
}

export const start = look;

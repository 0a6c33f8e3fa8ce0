// The list of jobs: their progress, results and comparisons.

import { read, request } from "./api.js";
import { comparison } from "./comparison.js";
import { button, duration, element, find, number, report } from "./words.js";

const cards = new Map(); // job id -> its list item
const ended = (state) => ["done", "failed", "cancelled"].includes(state);
const SECONDS = 2; // between two looks at all jobs
let looking = false;
let followed = null; // the running job whose events are heard: browsers allow few connections to one server
let timer = null;

function describe(job) {
  switch (job.state) {
    case "waiting": return job.ahead > 0 ? `Waiting; ${job.ahead} in front of it` : "Next in the queue";
    case "running": return `${Math.round(100 * job.progress)} %`
      + (job.seconds_left ? `, about ${duration(job.seconds_left)} left` : "");
    case "done": {
      const [height, width] = job.outcome.after ?? [0, 0];
      const made = `${number.format(width)} × ${number.format(height)} pixels in ${duration(job.outcome.seconds ?? 0)}`;
      return `${made}; kept until ${new Date(1000 * job.expires).toLocaleString()}`;
    }
    case "cancelled": return "Cancelled";
    default: return "";
  }
}

function actions(job, item, open) {
  const made = element("span", { className: "actions" });
  if (job.state === "done") {
    made.append(element("a", {
      className: "button", href: `v1/jobs/${job.id}/result`, textContent: "Download",
      ariaLabel: `Download ${job.result_name}`,
    }));
    made.append(button(open ? "Hide" : "Compare", job.name, () => {
      if (open) open.remove();
      else item.append(comparison(job));
      show(job);
    }));
  }
  if (ended(job.state)) {
    made.append(button("Remove", job.name, async () => {
      await request(`jobs/${job.id}`, { method: "DELETE" });
      remove(job.id);
    }));
  } else made.append(button("Cancel", job.name, () => request(`jobs/${job.id}/cancel`, { method: "POST" }).then(look)));
  return made;
}

function remove(id) {
  cards.get(id)?.remove();
  cards.delete(id);
  summarise();
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
  const parts = [element("div", { className: "row" },
    element("span", { className: "name", textContent: job.name }), actions(job, item, open))];
  if (!ended(job.state)) {
    const bar = element("progress", { max: 1, value: job.progress });
    bar.setAttribute("aria-label", `Progress of ${job.name}`);
    parts.push(bar);
  }
  parts.push(job.error ? element("p", { className: "error", textContent: job.error })
    : element("p", { className: "quiet", textContent: describe(job) }));
  item.dataset.state = job.state;
  for (const old of [...item.children]) if (old !== open) old.remove();
  item.prepend(...parts);
  if (focused !== null) {
    const buttons = [...item.querySelectorAll("button, a")];
    (buttons.find((each) => each.getAttribute("aria-label") === focused) ?? buttons[0])?.focus();
  }
  if (before && before !== job.state && job.state === "done") report(`${job.name} is ready.`);
  summarise();
  if (!ended(job.state)) watch();
}

export function summarise() {
  const done = [...cards].filter(([, item]) => item.dataset.state === "done").map(([id]) => `id=${id}`);
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
    for (const job of jobs.reverse()) if (!cards.has(job.id) || !ended(cards.get(job.id).dataset.state)) show(job);
    const known = new Set(jobs.map((job) => job.id));
    for (const [id, item] of cards) if (!known.has(id) && !ended(item.dataset.state)) remove(id);
    follow(jobs.find((job) => job.state === "running")?.id ?? null);
  } catch {
    report("The server does not answer; this page tries again.");
    watch();
    return;
  } finally {
    looking = false;
  }
  if (find("status").textContent.startsWith("The server does not")) report("");
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

// Resumable uploads by the tus protocol. What has begun is remembered, so that it resumes at the byte that was reached
// after a lost network, and after a reload when the file is chosen again.

import { Problem, request } from "./api.js";

const VERSION = { "Tus-Resumable": "1.0.0" };
const PART = 8 * 1024 * 1024;
const LEAST_PART = 128 * 1024;
const KEY = "hyperacuity-uploads";

const identity = (file) => [file.name, file.size, file.lastModified].join("\n");
const remembered = () => JSON.parse(localStorage.getItem(KEY) ?? "{}");

function remember(file, id) {
  const all = remembered();
  if (id === null) delete all[identity(file)];
  else all[identity(file)] = id;
  localStorage.setItem(KEY, JSON.stringify(all));
}

function drop(key) {
  const all = remembered();
  delete all[key];
  localStorage.setItem(KEY, JSON.stringify(all));
}

const encoded = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function begin(file) {
  const answer = await request("uploads", {
    method: "POST",
    headers: { ...VERSION, "Upload-Length": String(file.size), "Upload-Metadata": `filename ${encoded(file.name)}` },
  });
  const id = answer.headers.get("Location").split("/").pop();
  remember(file, id);
  return { id, offset: 0 };
}

async function resume(file) {
  const id = remembered()[identity(file)];
  if (!id) return null;
  try {
    const answer = await request(`uploads/${id}`, { method: "HEAD", headers: VERSION });
    return { id, offset: Number(answer.headers.get("Upload-Offset")) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    remember(file, null);
    return null;
  }
}

// The uploads that were begun and have not ended: their names, ids and shares.
export async function interrupted() {
  const found = [];
  for (const [key, id] of Object.entries(remembered())) {
    try {
      const { headers } = await request(`uploads/${id}`, { method: "HEAD", headers: VERSION });
      const share = Number(headers.get("Upload-Offset")) / Number(headers.get("Upload-Length"));
      found.push({ key, id, share, name: key.split("\n")[0] });
    } catch (error) {
      if (error instanceof Problem) drop(key);
    }
  }
  return found;
}

// Stops remembering an upload: its job was accepted.
export function finished(file, id) {
  remember(file, null);
  document.querySelector(`[data-interrupted="${id}"]`)?.remove();
}

// Removes an interrupted upload.
export async function forget({ key, id }) {
  drop(key);
  await request(`uploads/${id}`, { method: "DELETE", headers: VERSION });
}

// Sends a file and returns the id of its upload. `report` gets the share that has arrived; `signal` ends it.
export async function upload(file, report, signal) {
  let state = null;
  let part = PART;
  for (let attempt = 0; ; attempt += 1) {
    try {
      state = (await resume(file)) ?? (await begin(file));
      while (state.offset < file.size) {
        const answer = await request(`uploads/${state.id}`, {
          method: "PATCH",
          signal,
          headers: {
            ...VERSION, "Upload-Offset": String(state.offset), "Content-Type": "application/offset+octet-stream",
          },
          body: file.slice(state.offset, state.offset + part),
        });
        state.offset = Number(answer.headers.get("Upload-Offset"));
        attempt = 0;
        report(state.offset / file.size);
      }
      return state.id;
    } catch (error) {
      // A proxy that refuses large requests takes smaller ones.
      const refused = error instanceof Problem && error.status === 413 && !error.ours;
      if ((refused || attempt > 1) && part > LEAST_PART) part /= 2;
      if (refused && part > LEAST_PART) continue;
      const hopeless = error.name === "AbortError" || (error instanceof Problem && error.status !== 409 && error.status < 500);
      if (hopeless || (error instanceof Problem && error.status === 507)) throw error;
      report(state === null ? 0 : state.offset / file.size, "The connection is lost; it will resume by itself.");
      await pause(Math.min(30000, 500 * 2 ** Math.min(attempt, 6)));
    }
  }
}

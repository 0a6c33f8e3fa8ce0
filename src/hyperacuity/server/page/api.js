// Requests to the server, relative to the page, so that it works below any path.

export class Problem extends Error {
  constructor(status, detail, ours) {
    super(detail);
    this.status = status;
    this.ours = ours; // whether the server said so, and not a proxy before it
  }
}

export async function request(path, options = {}) {
  const answer = await fetch(`v1/${path}`, { credentials: "same-origin", ...options });
  if (!answer.ok) {
    const content = await answer.json().catch(() => ({}));
    const text = answer.status === 413 ? "A proxy in front of the server refuses files of this size."
      : `The server answered with error ${answer.status}.`;
    throw new Problem(answer.status, content.detail ?? text, "detail" in content);
  }
  return answer;
}

export const read = async (path) => (await request(path)).json();

export const send = async (path, content, headers = {}) =>
  (await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(content),
  }));

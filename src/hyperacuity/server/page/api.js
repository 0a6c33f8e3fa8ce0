// Requests to the server, relative to the page, so that it works below any path.

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function request(path, options = {}) {
  const answer = await fetch(`v1/${path}`, { credentials: "same-origin", ...options });
  if (!answer.ok) {
    const content = await answer.json().catch(() => ({}));
    throw new Problem(answer.status, content.detail ?? (answer.status === 413
      ? "A proxy before the server does not take files of this size."
      : `The server answered ${answer.status}.`));
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

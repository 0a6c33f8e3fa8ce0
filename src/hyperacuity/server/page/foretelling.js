// What will become of a chosen file: the size of its result, the time, and whether the server takes it.

import { bytes, duration, number, pixels } from "./words.js";

const FRAMES_PER_SECOND = 30; // browsers do not say how many a video has

// The size of an image, or the size and length of a video; null for what the browser cannot read.
async function measure(file, address) {
  if (file.type.startsWith("video/")) {
    const video = Object.assign(document.createElement("video"), { preload: "metadata", muted: true });
    const loaded = new Promise((done) => {
      video.onloadedmetadata = () => done(video.videoWidth > 0);
      video.onerror = () => done(false);
      setTimeout(done, 10000, false);
    });
    video.src = address;
    const found = await loaded ? { width: video.videoWidth, height: video.videoHeight, seconds: video.duration } : null;
    video.removeAttribute("src");
    return found;
  }
  const image = new Image();
  const loaded = new Promise((done) => {
    image.onload = () => done(true);
    image.onerror = () => done(false);
  });
  image.src = address;
  return await loaded ? { width: image.naturalWidth, height: image.naturalHeight } : null;
}

function refusal(file, size, scale, limits) {
  if (file.size > limits.max_upload_bytes) return `it has ${bytes(file.size)}; this server takes ${bytes(limits.max_upload_bytes)}`;
  if (size === null) return null;
  const { width, height, seconds } = size;
  const megapixels = (count) => (count < 1e6 ? `${number.format(count)} pixels`
    : `${number.format(Math.round(count / 1e5) / 10)} megapixels`);
  if (seconds === undefined && width * height > limits.max_input_pixels) {
    return `it has ${megapixels(width * height)}; this server takes ${megapixels(limits.max_input_pixels)}`;
  }
  if (seconds !== undefined && (width > limits.max_video_width || height > limits.max_video_height)) {
    return `its frames have ${pixels(width, height)} pixels; `
      + `this server takes ${pixels(limits.max_video_width, limits.max_video_height)}`;
  }
  if (seconds > limits.max_video_seconds) {
    return `it is ${duration(seconds)} long; this server takes ${duration(limits.max_video_seconds)}`;
  }
  if (width * height * scale * scale > limits.max_output_pixels) {
    return `the result would have ${megapixels(width * height * scale * scale)}; `
      + `this server makes ${megapixels(limits.max_output_pixels)}`;
  }
  return null;
}

// { text, refused, seconds }; `speed` is in megapixels of result per second, or undefined.
export async function foretell(file, address, scale, speed, limits) {
  const size = await measure(file, address);
  const refused = refusal(file, size, scale, limits);
  if (refused !== null) return { text: `Not sent: ${refused}.`, refused: true, seconds: 0 };
  if (size === null) return { text: bytes(file.size), refused: false, seconds: 0 };
  const { width, height, seconds } = size;
  const frames = seconds === undefined ? 1 : seconds * FRAMES_PER_SECOND;
  const time = speed ? frames * width * height * scale * scale / 1e6 / speed : 0;
  const text = `${pixels(width, height)} → ${pixels(width * scale, height * scale)} pixels`
    + (seconds === undefined ? "" : `, ${duration(seconds)} long`) + (time ? `, about ${duration(time)} of work` : "");
  return { text, refused: false, seconds: time };
}

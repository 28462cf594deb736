// From a file to the pixels that a score is computed of: upright, sRGB, over white, shrunk.

import { copyRows, shrinkColumns, shrinkRows, sizeToFit, weightsOf } from "./resizing.js";

const MINIMUM_SIDE = 32;
const MAX_PIXELS = 2 ** 28;
const BAND_PIXELS = 2 ** 21; // that are copied at once: canvases of whole photos fail on phones

/** Why a photo has no score, in a line for people. */
export class PhotoError extends Error {}

/**
 * Reads a photo as `reiqa_tf.read_image` does.
 *
 * The browser decodes it, turns it upright and brings it to sRGB; a canvas is only what its pixels
 * are copied from, since every browser's canvas shrinks otherwise.
 *
 * @param {Blob} file
 * @param {?number} side of the square that it must fit into; null keeps its size.
 * @returns {Promise<{pixels: Uint8Array, width: number, height: number}>} RGB.
 */
export async function readImage(file, side) {
  if (file.size === 0) throw new PhotoError("an empty file (0 bytes). Get a whole copy.");
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new PhotoError(
      "not a picture that this browser can read. Expected JPEG, PNG, WebP, AVIF, GIF or BMP.",
    );
  }
  try {
    return shrunk(bitmap, side);
  } finally {
    bitmap.close();
  }
}

function shrunk(bitmap, side) {
  const { width, height } = bitmap;
  const [shorter, lower] = sizeToFit(width, height, side);
  if (Math.min(shorter, lower) < MINIMUM_SIDE) {
    throw new PhotoError(
      `too small to judge. Expected at least ${MINIMUM_SIDE} x ${MINIMUM_SIDE} px` +
        (shorter < width ? ` once shrunk to fit ${side} px` : "") +
        `, received ${shorter} x ${lower} px.`,
    );
  }
  if (width * height > MAX_PIXELS) {
    throw new PhotoError(`${width} x ${height} px are more than a browser can hold.`);
  }
  const rows = Math.min(height, Math.max(1, Math.floor(BAND_PIXELS / width)));
  const canvas = new OffscreenCanvas(width, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#ffffff";
  const table = shorter === width ? null : weightsOf(width, shorter);
  const narrow = new Uint8Array(3 * shorter * height);
  for (let top = 0; top < height; top += rows) {
    const taken = Math.min(rows, height - top);
    context.fillRect(0, 0, width, taken);
    context.drawImage(bitmap, 0, top, width, taken, 0, 0, width, taken);
    const band = context.getImageData(0, 0, width, taken).data;
    const start = 3 * shorter * top;
    if (table) shrinkRows(band, width, taken, table, narrow, start);
    else copyRows(band, narrow, start);
  }
  const pixels =
    lower === height ? narrow : shrinkColumns(narrow, shorter, weightsOf(height, lower));
  return { pixels, width: shorter, height: lower };
}

/**
 * Whether a canvas returns what was drawn. Some browsers alter it, against sites that tell visitors
 * by the way their machine draws; a score of altered pixels would be wrong.
 */
export function canvasIsFaithful() {
  const context = new OffscreenCanvas(16, 16).getContext("2d", { willReadFrequently: true });
  const drawn = context.createImageData(16, 16);
  for (let at = 0; at < drawn.data.length; at++) {
    drawn.data[at] = at % 4 === 3 ? 255 : (37 * at + 11) % 256;
  }
  context.putImageData(drawn, 0, 0);
  const returned = context.getImageData(0, 0, 16, 16).data;
  return drawn.data.every((value, at) => value === returned[at]);
}

/** A picture as RGBA, which browsers want. */
export function withOpacity({ pixels, width, height }) {
  const result = new ImageData(width, height);
  for (let from = 0, to = 0; from < pixels.length; to++) {
    result.data[to++] = pixels[from++];
    result.data[to++] = pixels[from++];
    result.data[to++] = pixels[from++];
    result.data[to] = 255;
  }
  return result;
}

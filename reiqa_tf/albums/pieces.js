// What the page of an album and the page for browsers (web/page) have in common. The one holds this
// text in its own script, the other imports it.

/** Makes an element. */
export function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export const percent = (value) => `${value.toFixed(value > 99 || value < 1 ? 1 : 0)} %`;

/** As many boxes as there are words, filled up to the place of one; for the eye alone. */
export function meter(word, words) {
  const made = make("span", `meter word-${word}`);
  made.setAttribute("aria-hidden", "true");
  for (let step = 0; step < words.length; step++) made.append(make("i", step <= word ? "on" : ""));
  return made;
}

/**
 * Draws a photo in grey with its map over it.
 *
 * @param {HTMLImageElement} picture decoded.
 * @param {CanvasImageSource} map in colours, the clearer the less a place does; of any size.
 * @returns {string} address of a JPEG, `data:`, twice as large as the photo.
 */
export function underMap(picture, map) {
  const canvas = make("canvas");
  [canvas.width, canvas.height] = [2 * picture.naturalWidth, 2 * picture.naturalHeight];
  const context = canvas.getContext("2d");
  context.filter = "grayscale(1) contrast(0.7) brightness(1.12)";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  context.filter = "none";
  context.imageSmoothingQuality = "high";
  context.drawImage(map, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.9);
}

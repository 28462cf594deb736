// Pillow's antialiased bicubic filter, number by number: a score depends on how a photo was shrunk.

const PRECISION = 22; // bits behind the point of a weight, as in Pillow
const HALF = 1 << (PRECISION - 1);
const REACH = 2; // pixels of the smaller picture that the filter reaches to either side

function bicubic(x) {
  x = Math.abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

/**
 * The size of a picture that fits into a square, never larger than it is.
 * Whole numbers, halves rounded up, as in `size_to_fit` of `reiqa_tf.image.reading`.
 */
export function sizeToFit(width, height, side) {
  const longer = Math.max(width, height);
  if (!side || longer <= side) return [width, height];
  return [width, height].map((length) =>
    Math.max(1, Math.floor((2 * length * side + longer) / (2 * longer))),
  );
}

/** Which pixels of a line each pixel of a shorter line is made of, and with which weights. */
export function weightsOf(length, shorter) {
  const scale = length / shorter;
  const stretch = Math.max(scale, 1);
  const support = REACH * stretch;
  const most = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(shorter);
  const count = new Int32Array(shorter);
  const weights = new Int32Array(shorter * most);
  for (let place = 0; place < shorter; place++) {
    const center = (place + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(length, Math.trunc(center + support + 0.5));
    const shares = [];
    let sum = 0;
    for (let at = begin; at < end; at++) {
      const share = bicubic((at - center + 0.5) * (1 / stretch));
      shares.push(share);
      sum += share;
    }
    first[place] = begin;
    count[place] = end - begin;
    shares.forEach((share, index) => {
      const weight = (sum ? share / sum : share) * 2 ** PRECISION;
      weights[place * most + index] = Math.trunc(weight + (weight < 0 ? -0.5 : 0.5));
    });
  }
  return { first, count, weights, most };
}

function level(sum) {
  const rounded = sum >> PRECISION;
  return rounded < 0 ? 0 : rounded > 255 ? 255 : rounded;
}

/**
 * Makes rows shorter.
 *
 * @param {Uint8ClampedArray} pixels RGBA of `rows` rows of `width` pixels; opaque.
 * @param {object} table what `weightsOf(width, shorter)` returned.
 * @param {Uint8Array} result RGB; rows are written from `start` on.
 */
export function shrinkRows(pixels, width, rows, table, result, start) {
  const { first, count, weights, most } = table;
  let to = start;
  for (let row = 0; row < rows; row++) {
    for (let place = 0; place < first.length; place++) {
      let from = 4 * (row * width + first[place]);
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      const begin = place * most;
      const end = begin + count[place];
      for (let at = begin; at < end; at++) {
        const weight = weights[at];
        red += pixels[from] * weight;
        green += pixels[from + 1] * weight;
        blue += pixels[from + 2] * weight;
        from += 4;
      }
      result[to++] = level(red);
      result[to++] = level(green);
      result[to++] = level(blue);
    }
  }
}

/**
 * Makes columns shorter.
 *
 * @param {Uint8Array} pixels RGB.
 * @param {number} width of it in pixels.
 * @param {object} table what `weightsOf(height, shorter)` returned.
 * @returns {Uint8Array} RGB.
 */
export function shrinkColumns(pixels, width, table) {
  const { first, count, weights, most } = table;
  const line = 3 * width;
  const result = new Uint8Array(first.length * line);
  const sums = new Int32Array(line);
  for (let place = 0; place < first.length; place++) {
    sums.fill(HALF);
    for (let index = 0; index < count[place]; index++) {
      const weight = weights[place * most + index];
      const from = (first[place] + index) * line;
      for (let at = 0; at < line; at++) sums[at] += pixels[from + at] * weight;
    }
    const to = place * line;
    for (let at = 0; at < line; at++) result[to + at] = level(sums[at]);
  }
  return result;
}

/** Drops the opacity of RGBA, where nothing is shrunk. */
export function copyRows(pixels, result, start) {
  for (let from = 0, to = start; from < pixels.length; from += 4) {
    result[to++] = pixels[from];
    result[to++] = pixels[from + 1];
    result[to++] = pixels[from + 2];
  }
}
